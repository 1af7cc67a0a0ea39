/// What a parameter does in its layer.
public enum ParameterRole: String, Sendable {
  /// A matrix that multiplies activations.
  case weight
  /// An additive offset, or the slope of an activation.
  case bias
  /// The gain or offset of a normalization.
  case norm
  /// A table of vectors that are looked up.
  case embedding
  /// A matrix that multiplies the state of the time step before.
  case recurrent
}
