/// Applies an ``UpdateRule`` to all parameters of a network, and keeps their running means.
public struct Optimizer<Scalar: TrainingScalar>: Sendable {
  /// How one parameter is updated.
  public let rule: UpdateRule
  private var updates = 0
  private var slots: [[NDArray<Scalar>]] = []

  /// Makes an optimizer that has not seen a gradient.
  public init(_ rule: UpdateRule) { self.rule = rule }

  /// Updates all parameters of a network.
  ///
  /// `gradients` are in the order and shapes of the network's parameters, and it must be the same
  /// network every time: the running means belong to it.
  ///
  /// - Parameters:
  ///   - network: The network, changed in place.
  ///   - gradients: The gradients of a loss.
  ///   - learningRate: The rate of this update; the rule's own if `nil`.
  ///   - frozen: The parameters that stay as they are, by their index.
  @specialized(where Scalar == Float)
  public mutating func update(
    _ network: inout Network<Scalar>,
    with gradients: [NDArray<Scalar>],
    learningRate: Double? = nil,
    frozen: Set<Int> = []
  ) {
    precondition(
      gradients.count == network.parameters.count,
      "gradients: expected \(network.parameters.count), found \(gradients.count)"
    )
    if updates == 0 {
      slots = gradients.map { gradient in
        Array(repeating: NDArray(repeating: 0, shape: gradient.shape), count: rule.slotCount)
      }
    }
    updates += 1
    let current = learningRate.map(rule.withLearningRate) ?? rule
    for index in gradients.indices where !frozen.contains(index) {
      current.apply(
        gradients[index],
        to: &network.parameters[index].value,
        slots: &slots[index],
        update: updates
      )
    }
  }
}
