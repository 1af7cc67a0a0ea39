/// The function that a layer applies to its sums.
///
/// The raw value is the name that a collector knows it by.
public enum Activation: String, Sendable, CaseIterable {
  /// y = x.
  case linear = "none"
  /// y = 1 / (1 + e⁻ˣ), from 0 to 1.
  case sigmoid
  /// y = tanh x, from -1 to 1.
  case tanh
  /// y = max(x, 0).
  case relu
  /// y = x where x > 0, else 0.01 x.
  case leakyReLU = "leaky_relu"
  /// y = x where x > 0, else a · x with a learned a, 0.25 at first.
  case parametricReLU = "prelu"
  /// y = x Φ(x), with the normal distribution Φ.
  case gelu
  /// y = x / (1 + e⁻ˣ).
  case silu

  /// Applies the function on a tape, element by element.
  ///
  /// `slope`, `[1]`, is what ``parametricReLU`` learns; the others have none.
  public func callAsFunction<Scalar>(
    _ x: Variable,
    slope: Variable? = nil,
    on tape: Tape<Scalar>
  ) -> Variable {
    switch self {
    case .linear: return x
    case .sigmoid: return tape.sigmoid(x)
    case .tanh: return tape.tanh(x)
    case .relu: return tape.relu(x)
    case .leakyReLU: return tape.leakyReLU(x, slope: 0.01)
    case .parametricReLU:
      guard let slope else { preconditionFailure("prelu: expected a slope, found none") }
      return tape.parametricReLU(x, slope: slope)
    case .gelu: return tape.gelu(x)
    case .silu: return tape.silu(x)
    }
  }
}
