extension Tape {
  /// Computes y = a + b, element by element; da = db = dy.
  ///
  /// Shapes: all alike.
  public func sum(_ a: Variable, _ b: Variable) -> Variable {
    record(value(of: a).combined(with: value(of: b), +), of: a, b) { tape, gradient in
      tape.add(gradient, toGradientOf: a)
      tape.add(gradient, toGradientOf: b)
    }
  }

  /// Computes y = factor · x; dx = factor · dy.
  public func scaled(_ x: Variable, by factor: Scalar) -> Variable {
    record(value(of: x).map { factor * $0 }, of: x) { tape, gradient in
      tape.add(gradient.map { factor * $0 }, toGradientOf: x)
    }
  }

  /// Computes y = factor · Σ x², a penalty on large numbers; dx = 2 factor · x · dy.
  ///
  /// Shapes: `x` any, `y` `[]`. Sums in `Scalar`: where that overflows, the penalty is Inf.
  public func penalty(_ x: Variable, factor: Scalar) -> Variable {
    let numbers = value(of: x)
    let sum = numbers.elements.reduce(0) { $0 + $1 * $1 }
    return record(NDArray(shape: [], elements: [factor * sum]), of: x) { tape, gradient in
      let slope = 2 * factor * gradient.elements[0]
      tape.add(numbers.map { slope * $0 }, toGradientOf: x)
    }
  }

  /// Zeroes elements at random, and scales the others so that the mean stays.
  ///
  /// ```
  /// y = x · mask       mask = 0 with the probability `rate`, else 1 / (1 - rate)
  /// dx = dy · mask
  /// ```
  /// Shapes alike. `rate` from 0 to below 1. Srivastava et al., "Dropout", 2014.
  public func dropout(
    _ x: Variable,
    rate: Double,
    using generator: inout SeededGenerator
  ) -> Variable {
    let numbers = value(of: x)
    let kept = Scalar(1 / (1 - rate))
    let mask = NDArray(
      shape: numbers.shape,
      elements: (0..<numbers.count).map { _ in generator.nextUniform() < rate ? 0 : kept }
    )
    return record(numbers.combined(with: mask, *), of: x) { tape, gradient in
      tape.add(gradient.combined(with: mask, *), toGradientOf: x)
    }
  }
}
