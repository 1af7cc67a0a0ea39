// Element by element, in any shape; the result has the shape of the argument.
extension Tape {
  /// Computes y = 1 / (1 + e⁻ˣ), dx = dy · y (1 - y).
  public func sigmoid(_ x: Variable) -> Variable {
    let y = value(of: x).map { 1 / (1 + Scalar.exponential(-$0)) }
    return record(y, of: x) { tape, gradient in
      tape.add(gradient.combined(with: y) { $0 * $1 * (1 - $1) }, toGradientOf: x)
    }
  }

  /// Computes y = tanh x, dx = dy · (1 - y²).
  public func tanh(_ x: Variable) -> Variable {
    let y = value(of: x).map(Scalar.hyperbolicTangent)
    return record(y, of: x) { tape, gradient in
      tape.add(gradient.combined(with: y) { $0 * (1 - $1 * $1) }, toGradientOf: x)
    }
  }

  /// Computes y = x where x > 0, else 0; dx = dy where x > 0, else 0.
  ///
  /// NaN is not at most 0 and passes in both directions, as in PyTorch. At 0 the derivative is 0.
  public func relu(_ x: Variable) -> Variable {
    let y = value(of: x).map { $0 <= 0 ? 0 : $0 }
    return record(y, of: x) { tape, gradient in
      tape.add(gradient.combined(with: y) { $1 <= 0 ? 0 : $0 }, toGradientOf: x)
    }
  }
}
