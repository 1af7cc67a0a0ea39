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

  /// Applies the function on a tape, element by element.
  public func callAsFunction<Scalar>(_ x: Variable, on tape: Tape<Scalar>) -> Variable {
    switch self {
    case .linear: x
    case .sigmoid: tape.sigmoid(x)
    case .tanh: tape.tanh(x)
    case .relu: tape.relu(x)
    }
  }
}
