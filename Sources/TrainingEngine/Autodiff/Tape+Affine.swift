extension Tape {
  /// Multiplies two matrices.
  ///
  /// ```
  /// C = A · B            A: [m, k]   B: [k, n]   C: [m, n]
  /// dA = dC · Bᵀ         dB = Aᵀ · dC
  /// ```
  public func product(_ a: Variable, _ b: Variable) -> Variable {
    let (left, right) = (value(of: a), value(of: b))
    return record(left.product(right), of: a, b) { tape, gradient in
      tape.add(gradient.product(right, transposingOther: true), toGradientOf: a)
      tape.add(left.product(gradient, transposingSelf: true), toGradientOf: b)
    }
  }

  /// Adds the same vector to every row of a matrix.
  ///
  /// ```
  /// yᵢⱼ = xᵢⱼ + bⱼ       x, y: [rows, columns]   b: [columns]
  /// dx = dy              dbⱼ = Σᵢ dyᵢⱼ
  /// ```
  public func addingToRows(_ x: Variable, _ b: Variable) -> Variable {
    let offsets = value(of: b)
    var sum = value(of: x)
    let (rows, columns) = (sum.rowCount, offsets.count)
    precondition(
      sum.shape == [rows, columns] && offsets.shape == [columns],
      "rows of \(sum.shape): expected an offset for each column, found shape \(offsets.shape)"
    )
    for row in 0..<rows {
      for column in 0..<columns { sum.elements[row * columns + column] += offsets.elements[column] }
    }
    return record(sum, of: x, b) { tape, gradient in
      tape.add(gradient, toGradientOf: x)
      var sums = NDArray<Scalar>(repeating: 0, shape: [columns])
      for row in 0..<rows {
        for column in 0..<columns {
          sums.elements[column] += gradient.elements[row * columns + column]
        }
      }
      tape.add(sums, toGradientOf: b)
    }
  }
}
