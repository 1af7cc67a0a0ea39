/// A named array that training changes.
public struct Parameter<Scalar: TrainingScalar>: Sendable {
  /// The layer's name and the parameter's own, such as `dense_1.weight`; unique in its network.
  public let name: String
  /// The index in ``Network/layers`` of the layer that owns it.
  public let layer: Int
  /// What it does in its layer.
  public let role: ParameterRole
  /// The name of the distribution of its first values.
  public let initialization: String
  /// Its numbers.
  public package(set) var value: NDArray<Scalar>
}
