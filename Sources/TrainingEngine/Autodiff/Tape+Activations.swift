// Element by element, in any shape; the result has the shape of the argument.
extension Tape {
  /// Computes y = 1 / (1 + e⁻ˣ), dx = dy · y (1 - y).
  public func sigmoid(_ x: Variable) -> Variable {
    let y = value(of: x).map(Scalar.sigmoid)
    return record(y, of: x) { tape, gradient in
      tape.add(gradient.throughSigmoid(y), toGradientOf: x)
    }
  }

  /// Computes y = tanh x, dx = dy · (1 - y²).
  public func tanh(_ x: Variable) -> Variable {
    let y = value(of: x).map(Scalar.hyperbolicTangent)
    return record(y, of: x) { tape, gradient in
      tape.add(gradient.throughTanh(y), toGradientOf: x)
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

  /// Computes y = x where x > 0, else slope · x; dx = dy, or slope · dy.
  ///
  /// At 0 the derivative is the slope, as in PyTorch.
  public func leakyReLU(_ x: Variable, slope: Scalar) -> Variable {
    let input = value(of: x)
    let y = input.map { $0 <= 0 ? slope * $0 : $0 }
    return record(y, of: x) { tape, gradient in
      tape.add(gradient.combined(with: input) { $1 <= 0 ? slope * $0 : $0 }, toGradientOf: x)
    }
  }

  /// Computes ``leakyReLU(_:slope:)`` with a slope that is learned.
  ///
  /// ```
  /// dx = dy, or slope · dy        dslope = Σ dy · x where x ≤ 0        slope: [1]
  /// ```
  /// He et al., "Delving Deep into Rectifiers", 2015.
  public func parametricReLU(_ x: Variable, slope: Variable) -> Variable {
    let (input, factor) = (value(of: x), value(of: slope).elements[0])
    let y = input.map { $0 <= 0 ? factor * $0 : $0 }
    return record(y, of: x, slope) { tape, gradient in
      tape.add(gradient.combined(with: input) { $1 <= 0 ? factor * $0 : $0 }, toGradientOf: x)
      let terms = gradient.combined(with: input) { $1 <= 0 ? $0 * $1 : 0 }
      tape.add(NDArray(shape: [1], elements: [terms.elements.reduce(0, +)]), toGradientOf: slope)
    }
  }

  /// Computes y = x Φ(x), with the normal distribution Φ(x) = (1 + erf(x/√2)) / 2.
  ///
  /// ```
  /// dx = dy · (Φ(x) + x φ(x))       φ(x) = e^(-x²/2) / √(2π)
  /// ```
  /// Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016; the exact form, PyTorch's default.
  public func gelu(_ x: Variable) -> Variable {
    let input = value(of: x)
    // The two have most of their work in common, so that the derivative is computed along with y.
    var (y, slope) = (input, input)
    y.withMutableElements { y in
      slope.withMutableElements { slope in
        for index in y.indices {
          let x = y[index]
          let (share, density) = Scalar.normalDistribution(x)
          (y[index], slope[index]) = (x * share, share + x * density)
        }
      }
    }
    return recordElementwise(y, of: x, slope: slope)
  }

  /// Computes y = x σ(x), with the sigmoid σ; dx = dy · σ (1 + x (1 - σ)).
  ///
  /// Also called Swish: Ramachandran et al., "Searching for Activation Functions", 2017.
  public func silu(_ x: Variable) -> Variable {
    let input = value(of: x)
    var (y, slope) = (input, input)
    y.withMutableElements { y in
      slope.withMutableElements { slope in
        for index in y.indices {
          let x = y[index]
          let gate = Scalar.sigmoid(x)
          (y[index], slope[index]) = (x * gate, gate * (1 + x * (1 - gate)))
        }
      }
    }
    return recordElementwise(y, of: x, slope: slope)
  }

  /// Records dx = dy · slope.
  private func recordElementwise(
    _ y: NDArray<Scalar>,
    of x: Variable,
    slope: NDArray<Scalar>
  ) -> Variable {
    record(y, of: x) { tape, gradient in
      tape.add(gradient.combined(with: slope, *), toGradientOf: x)
    }
  }
}

extension NDArray {
  /// Turns gradients of sigmoids y into those of their arguments: dy · y (1 - y).
  func throughSigmoid(_ y: NDArray) -> NDArray { combined(with: y) { $0 * ($1 * (1 - $1)) } }

  /// Turns gradients of hyperbolic tangents y into those of their arguments: dy · (1 - y²).
  func throughTanh(_ y: NDArray) -> NDArray { combined(with: y) { $0 * (1 - $1 * $1) } }
}
