/// What a parameter does in its layer.
public enum ParameterRole: String, Sendable {
  /// A matrix that multiplies activations.
  case weight
  /// An additive offset.
  case bias
}

/// A named array that training changes.
public struct Parameter<Scalar: TrainingScalar>: Sendable {
  /// The layer's name and the role, such as `dense_1.weight`; unique in its network.
  public let name: String
  /// The index in ``Network/layers`` of the layer that owns it.
  public let layer: Int
  /// What it does in its layer.
  public let role: ParameterRole
  /// The name of the distribution of its first values.
  public let initialization: String
  /// Its numbers.
  public package(set) var value: NDArray<Scalar>

  /// Makes a parameter of a layer.
  init(
    layerName: String,
    layer: Int,
    role: ParameterRole,
    initializer: Initializer,
    value: NDArray<Scalar>
  ) {
    self.name = "\(layerName).\(role.rawValue)"
    self.layer = layer
    self.role = role
    self.initialization = initializer.name
    self.value = value
  }
}
