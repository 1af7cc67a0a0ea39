/// What is added to a loss, to keep weights and activations small.
///
/// ```
/// weights · Σ W²  +  activations · (1/n) Σ a²
/// ```
/// Over all weights in the role ``ParameterRole/weight``, and over the activations of all layers
/// but the one that gives the prediction, with n samples in the batch: Keras's `kernel_regularizer`
/// and `activity_regularizer`, `l2`.
public struct Penalties: Hashable, Sendable {
  /// The factor of the squares of weights.
  public var weights: Double
  /// The factor of the squares of activations.
  public var activations: Double

  /// Adds penalties with these factors.
  public init(weights: Double = 0, activations: Double = 0) {
    (self.weights, self.activations) = (weights, activations)
  }

  /// Nothing is added.
  public static let none = Penalties()
}
