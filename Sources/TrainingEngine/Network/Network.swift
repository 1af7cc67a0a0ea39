/// Layers one after the other, and their parameters.
public struct Network<Scalar: TrainingScalar>: Sendable {
  /// The layers, in forward order.
  public let layers: [LayerDescription]
  /// The parameters, in the order of the layers; weight before bias.
  public package(set) var parameters: [Parameter<Scalar>]

  private let modules: [Dense]
  /// The place in `parameters` of each layer's own.
  private let ranges: [Range<Int>]

  /// Builds the layers and draws their parameters.
  ///
  /// - Parameters:
  ///   - inputCount: The number of features of one sample.
  ///   - plan: The layers, in forward order.
  ///   - generator: The source of the first values; the same state gives the same bits.
  public init(inputCount: Int, plan: [LayerPlan], using generator: inout SeededGenerator) {
    var modules: [Dense] = []
    var parameters: [Parameter<Scalar>] = []
    var ranges: [Range<Int>] = []
    var inputCount = inputCount
    for (index, layer) in plan.enumerated() {
      switch layer {
      case .dense(let units, let activation, let initializer):
        let dense = Dense(
          name: "dense_\(index + 1)",
          inputCount: inputCount,
          unitCount: units,
          activation: activation,
          initializer: initializer
        )
        let own: [Parameter<Scalar>] = dense.makeParameters(layer: index, using: &generator)
        ranges.append(parameters.count..<parameters.count + own.count)
        parameters += own
        modules.append(dense)
        inputCount = units
      }
    }
    self.layers = modules.map(\.description)
    self.parameters = parameters
    self.modules = modules
    self.ranges = ranges
  }

  /// Runs a batch forward.
  ///
  /// - Parameters:
  ///   - input: The samples, `[batch, inputs]`.
  ///   - parameters: The parameters as variables of the tape, in the order of ``parameters``.
  ///   - tape: Where the operations are recorded.
  /// - Returns: Every layer's output, `[batch, units]` each; the last one is the prediction.
  public func callAsFunction(
    _ input: Variable,
    parameters: [Variable],
    on tape: Tape<Scalar>
  ) -> [Variable] {
    var outputs: [Variable] = []
    for (module, range) in zip(modules, ranges) {
      outputs.append(module(outputs.last ?? input, parameters: parameters[range], on: tape))
    }
    return outputs
  }

  /// Runs a batch forward and backward.
  ///
  /// - Parameters:
  ///   - loss: What to differentiate.
  ///   - inputs: The samples, `[batch, inputs]`.
  ///   - targets: What should come out, `[batch, outputs]`.
  /// - Returns: The loss, its gradients and the activations.
  public func differentiate(
    _ loss: LossFunction,
    inputs: NDArray<Scalar>,
    targets: NDArray<Scalar>
  ) -> Derivative<Scalar> {
    let tape = Tape<Scalar>()
    let variables = parameters.map { tape.variable($0.value) }
    let outputs = self(tape.constant(inputs), parameters: variables, on: tape)
    precondition(!outputs.isEmpty, "network without layers: expected at least one")
    let value = loss(outputs[outputs.count - 1], targets, on: tape)
    tape.backward(from: value)
    return Derivative(
      loss: tape.value(of: value).elements[0],
      gradients: variables.map(tape.gradient(of:)),
      activations: outputs.map(tape.value(of:))
    )
  }
}

/// What one forward and backward pass of a ``Network`` gives.
public struct Derivative<Scalar: TrainingScalar>: Sendable {
  /// The loss, the mean over the batch; NaN and infinities as they come.
  public let loss: Scalar
  /// The loss's gradients, in the order and shapes of ``Network/parameters``.
  public let gradients: [NDArray<Scalar>]
  /// The layers' outputs after their activations, `[batch, units]`, in the order of
  /// ``Network/layers``.
  public let activations: [NDArray<Scalar>]
}
