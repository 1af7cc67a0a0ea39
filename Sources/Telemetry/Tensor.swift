/// A named parameter with a shape, as the client registered it.
///
/// A tensor's identifier is its index in ``Model/tensors``.
public struct Tensor: Hashable, Sendable {
  /// The parameter's name, unique within the model.
  public var name: String
  /// The index in ``Model/layers`` of the layer that owns it.
  public var layer: UInt32
  /// What it does in its layer.
  public var role: TensorRole
  /// Its shape, outermost dimension first; empty for a scalar, or if the client did not say.
  public var shape: [UInt64]
  /// Its number of elements, at least 1.
  public var elementCount: UInt64
  /// How it was initialized, such as `glorot_uniform`; empty if unknown.
  public var initialization: String
  /// Whether the optimizer may change it.
  public var isTrainable: Bool
  /// The index of the tensor whose storage it shares; `nil` if it has its own.
  public var tiedTo: UInt32?

  /// Makes a tensor.
  public init(
    name: String,
    layer: UInt32,
    role: TensorRole,
    shape: [UInt64] = [],
    elementCount: UInt64,
    initialization: String = "",
    isTrainable: Bool = true,
    tiedTo: UInt32? = nil
  ) {
    self.name = name
    self.layer = layer
    self.role = role
    self.shape = shape
    self.elementCount = elementCount
    self.initialization = initialization
    self.isTrainable = isTrainable
    self.tiedTo = tiedTo
  }
}
