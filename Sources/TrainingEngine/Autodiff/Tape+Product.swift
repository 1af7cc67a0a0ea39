extension Tape {
  /// Multiplies the rows of an array by a matrix, and adds what is given.
  ///
  /// ```
  /// C = A · B + D        A: [..., k]   B: [k, n]   C: [..., n]
  /// dA = dC · Bᵀ         dB = Aᵀ · dC
  ///
  /// D: [..., n], alike C:                dD = dC
  /// D: [n], the same for every row:      dD[j] = Σ dC[..., j]
  /// ```
  public func product(_ a: Variable, _ b: Variable, adding d: Variable? = nil) -> Variable {
    let (left, right) = (value(of: a), value(of: b))
    let shape: [Int] = left.shape.dropLast() + [right.lastDimension]
    let offset = d.map(value(of:))
    let isSameForEveryRow = offset?.shape == [right.lastDimension]
    precondition(
      offset == nil || isSameForEveryRow || offset?.shape == shape,
      "product of shape \(shape): expected to add that or a row, found \(offset?.shape ?? [])"
    )
    var result =
      offset.map { isSameForEveryRow ? NDArray(repeatingRow: $0, shape: shape) : $0 }
      ?? NDArray(repeating: 0, shape: shape)
    result.addProduct(left, right)
    return record(result, of: [a, b] + (d.map { [$0] } ?? [])) { tape, gradient in
      tape.accumulate(intoGradientOf: a) { $0.addProduct(gradient, right, transposingRight: true) }
      tape.accumulate(intoGradientOf: b) { $0.addProduct(left, gradient, transposingLeft: true) }
      guard let d else { return }
      if isSameForEveryRow {
        tape.accumulate(intoGradientOf: d) { $0.addRows(of: gradient) }
      } else {
        tape.add(gradient, toGradientOf: d)
      }
    }
  }
}
