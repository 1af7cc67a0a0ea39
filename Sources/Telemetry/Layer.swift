/// A module that owns tensors or activations, as the client registered it.
///
/// A layer's identifier is its index in ``Model/layers``, which is in forward order.
public struct Layer: Hashable, Sendable {
  /// The module's path, unique within the model.
  public var name: String
  /// The module's class, such as `Linear`; empty if the client did not say.
  public var moduleType: String
  /// The activation that follows, such as `relu`, or `none`; empty if unknown.
  public var activation: String
  /// The normalization that follows or is inside, such as `layer_norm`, or `none`; empty if unknown.
  public var normalization: String
  /// Whether a skip connection goes around it; `nil` if unknown.
  public var isResidual: Bool?
  /// The number of inputs of one unit; `nil` if unknown.
  public var fanIn: UInt64?
  /// The number of units that one input reaches; `nil` if unknown.
  public var fanOut: UInt64?

  /// Makes a layer of which only the name has to be known.
  public init(
    name: String,
    moduleType: String = "",
    activation: String = "",
    normalization: String = "",
    isResidual: Bool? = nil,
    fanIn: UInt64? = nil,
    fanOut: UInt64? = nil
  ) {
    self.name = name
    self.moduleType = moduleType
    self.activation = activation
    self.normalization = normalization
    self.isResidual = isResidual
    self.fanIn = fanIn
    self.fanOut = fanOut
  }
}
