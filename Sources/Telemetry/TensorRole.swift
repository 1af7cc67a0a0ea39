/// What a parameter does in its layer; rules compare like with like.
///
/// The raw values are stored and go over the wire: they never change their meaning.
public enum TensorRole: UInt8, Sendable, CaseIterable {
  /// The client did not say.
  case unspecified = 0
  /// A matrix or kernel that multiplies activations.
  case weight = 1
  /// An additive offset.
  case bias = 2
  /// The gain or shift of a normalization.
  case norm = 3
  /// A lookup table, of which a step touches few rows.
  case embedding = 4
  /// A recurrent (hidden-to-hidden) matrix.
  case recurrent = 5
  /// The weight of the output layer.
  case head = 6
}
