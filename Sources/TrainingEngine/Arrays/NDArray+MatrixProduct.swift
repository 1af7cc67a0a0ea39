extension NDArray {
  /// Multiplies two matrices, either of them transposed first if asked for.
  ///
  /// ```
  /// C = A · B     A: [m, k] ([k, m] if transposed)   B: [k, n] ([n, k] if transposed)   C: [m, n]
  /// ```
  /// An array of more dimensions is taken as the matrix of its last one: `[a, b, k]` is `[a b, k]`.
  /// No product is skipped because a factor is 0: 0 · Inf has to be NaN.
  package func product(
    _ other: NDArray,
    transposingSelf: Bool = false,
    transposingOther: Bool = false
  ) -> NDArray {
    let rows = transposingSelf ? lastDimension : rowsOfLastDimension
    let columns = transposingOther ? other.rowsOfLastDimension : other.lastDimension
    var result = NDArray(repeating: 0, shape: [rows, columns])
    result.addProduct(
      self,
      other,
      transposingLeft: transposingSelf,
      transposingRight: transposingOther
    )
    return result
  }

  /// Adds the product of two matrices, as ``product(_:transposingSelf:transposingOther:)`` has it.
  package mutating func addProduct(
    _ left: NDArray,
    _ right: NDArray,
    transposingLeft: Bool = false,
    transposingRight: Bool = false
  ) {
    let (leftRows, leftColumns) = (left.rowsOfLastDimension, left.lastDimension)
    let (rightRows, rightColumns) = (right.rowsOfLastDimension, right.lastDimension)
    let rows = transposingLeft ? leftColumns : leftRows
    let depth = transposingLeft ? leftRows : leftColumns
    let columns = transposingRight ? rightRows : rightColumns
    let rightDepth = transposingRight ? rightColumns : rightRows
    precondition(
      depth == rightDepth && count == rows * columns,
      "product of \(left.shape) and \(right.shape): expected \(depth) rows on the right and a "
        + "result of \(rows * columns), found \(rightDepth) and \(count)"
    )
    withMutableElements { result in
      left.withUnsafeBufferPointer { left in
        right.withUnsafeBufferPointer { right in
          // BLAS takes no pointer to nothing.
          guard depth > 0, let left = left.baseAddress, let right = right.baseAddress,
            let result = result.baseAddress, rows * columns > 0
          else { return }
          Scalar.addProduct(
            left,
            right,
            transposingLeft: transposingLeft,
            transposingRight: transposingRight,
            into: result,
            rows: rows,
            depth: depth,
            columns: columns
          )
        }
      }
    }
  }
}
