/// What a client says of a layer when it registers the network.
public struct LayerDescription: Hashable, Sendable {
  /// The name, unique in its network: `dense_1`, `dense_2`, `blocks.0.dense_3`, … numbered by
  /// kind.
  public let name: String
  /// The kind of layer, such as `Dense`.
  public let moduleType: String
  /// The function applied to its sums.
  public let activation: Activation
  /// What brings its sums to mean 0 and variance 1 before that.
  public let normalization: Normalization
  /// Whether a skip connection leads around it.
  public let isResidual: Bool
  /// The number of inputs of one unit.
  public let fanIn: Int
  /// The number of units that one input reaches.
  public let fanOut: Int
  /// The distribution of the first weights.
  public let initializer: Initializer
}
