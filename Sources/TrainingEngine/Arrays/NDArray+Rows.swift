// Parts of an array: its rows, and blocks of rows and columns.
extension NDArray {
  /// Repeats a vector as every row of a shape that ends in its length.
  init(repeatingRow row: NDArray, shape: [Int]) {
    self.init(shape: shape) { result in
      row.withUnsafeBufferPointer { row in
        for start in stride(from: 0, to: result.count, by: row.count) {
          _ = result.extracting(start..<start + row.count).update(fromContentsOf: row)
        }
      }
    }
  }

  /// Adds a vector to every row.
  mutating func addToRows(_ offsets: NDArray) {
    changeRows(with: offsets) { $0 += $1 }
  }

  /// Multiplies every row by a vector, element by element.
  mutating func multiplyRows(by factors: NDArray) {
    changeRows(with: factors) { $0 *= $1 }
  }

  /// Changes every row, given a vector as long as that.
  @inline(__always)
  private mutating func changeRows(
    with vector: NDArray,
    _ change: (_ element: inout Scalar, _ other: Scalar) -> Void
  ) {
    withMutableElements { elements in
      vector.withUnsafeBufferPointer { vector in
        for start in stride(from: 0, to: elements.count, by: vector.count) {
          let row = elements.extracting(start..<start + vector.count)
          for column in vector.indices { change(&row[column], vector[column]) }
        }
      }
    }
  }

  /// Adds all rows of an array to this vector.
  mutating func addRows(of other: NDArray) {
    withMutableElements { sums in
      other.withUnsafeBufferPointer { terms in
        for start in stride(from: 0, to: terms.count, by: sums.count) {
          let row = terms.extracting(start..<start + sums.count)
          for column in sums.indices { sums[column] += row[column] }
        }
      }
    }
  }

  /// Adds `count` consecutive elements of another array to as many of this one.
  mutating func add(_ other: NDArray, from source: Int, to target: Int, count: Int) {
    withMutableElements { sums in
      other.withUnsafeBufferPointer { terms in
        let (sums, terms) = (
          sums.extracting(target..<target + count), terms.extracting(source..<source + count)
        )
        for index in sums.indices { sums[index] += terms[index] }
      }
    }
  }

  /// Picks entries of the outermost dimension, in the order given: shape `[rows.count, …]`.
  func gathering(rows: ArraySlice<Int>) -> NDArray {
    let size = rowSize
    var gathered: [Scalar] = []
    gathered.reserveCapacity(rows.count * size)
    for row in rows { gathered += elements[row * size..<(row + 1) * size] }
    return NDArray(shape: [rows.count] + shape.dropFirst(), elements: gathered)
  }

  /// Copies a block of the matrix whose rows are `width` elements long: `[rows, columns]`.
  func block(rows: Range<Int>, columns: Range<Int>, width: Int) -> NDArray {
    NDArray(shape: [rows.count, columns.count]) { block in
      withUnsafeBufferPointer { elements in
        for row in 0..<rows.count {
          let (source, target) = (
            (rows.lowerBound + row) * width + columns.lowerBound, row * columns.count
          )
          _ = block.extracting(target..<target + columns.count)
            .update(fromContentsOf: elements.extracting(source..<source + columns.count))
        }
      }
    }
  }

  /// Adds a block to the matrix whose rows are `width` elements long, from a row and a column on.
  mutating func add(_ block: NDArray, row: Int, column: Int, width: Int) {
    let columns = block.rowSize
    withMutableElements { elements in
      block.withUnsafeBufferPointer { block in
        for index in 0..<block.count / columns {
          let (source, target) = (index * columns, (row + index) * width + column)
          let terms = block.extracting(source..<source + columns)
          let sums = elements.extracting(target..<target + columns)
          for index in terms.indices { sums[index] += terms[index] }
        }
      }
    }
  }
}
