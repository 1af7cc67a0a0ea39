/// Layers and their parameters.
///
/// What a program calls from outside this module is specialized for `Float` by name, and with it
/// all that it calls: as generic code, a step would take about ten times as long.
public struct Network<Scalar: TrainingScalar>: Sendable {
  /// The layers, in forward order.
  public let layers: [LayerDescription]
  /// The parameters, in the order of the layers; weight before bias.
  public package(set) var parameters: [Parameter<Scalar>]
  /// The shape of what comes out for one sample.
  public let outputShape: [Int]

  private let body: Chain

  /// Builds the layers and draws their parameters.
  ///
  /// - Parameters:
  ///   - inputShape: The shape of one sample, such as `[2]` or `[28, 28, 1]`.
  ///   - plan: The layers, in forward order.
  ///   - generator: The source of the first values; the same state gives the same bits.
  /// - Throws: ``TrainingError`` if a layer does not fit the one before; the caller mends the plan.
  @specialized(where Scalar == Float)
  public init(
    inputShape: [Int],
    plan: [LayerPlan],
    using generator: inout SeededGenerator
  ) throws(TrainingError) {
    guard !inputShape.isEmpty, inputShape.allSatisfy({ $0 > 0 }) else {
      throw .shape("input", expected: "dimensions of at least 1", found: inputShape)
    }
    var builder = NetworkBuilder<Scalar>(generator: generator)
    var shape = inputShape
    body = try builder.makeChain(plan, shape: &shape)
    guard !builder.parameters.isEmpty else {
      throw .setting("network", expected: "at least one layer with parameters", found: "none")
    }
    (layers, parameters, outputShape) = (builder.layers, builder.parameters, shape)
    generator = builder.generator
  }

  /// Runs a batch forward and backward.
  ///
  /// - Parameters:
  ///   - loss: What to differentiate.
  ///   - inputs: The samples, `[batch] +` the shape of one.
  ///   - targets: What should come out: `[batch] + outputShape`, or of
  ///     ``LossFunction/crossEntropy`` the same without its last dimension.
  ///   - penalties: What is added to the loss.
  ///   - factor: Multiplies the gradients, not the loss: a loss scale.
  ///   - generator: Draws what dropout zeroes.
  /// - Returns: The loss, its gradients and the activations.
  @specialized(where Scalar == Float)
  public func differentiate(
    _ loss: LossFunction,
    inputs: NDArray<Scalar>,
    targets: NDArray<Scalar>,
    penalties: Penalties = .none,
    factor: Scalar = 1,
    using generator: inout SeededGenerator
  ) -> Derivative<Scalar> {
    let tape = Tape<Scalar>()
    let variables = parameters.map { tape.variable($0.value) }
    var pass = ForwardPass(
      tape: tape,
      parameters: variables,
      generator: generator,
      outputs: Array(repeating: nil, count: layers.count)
    )
    let prediction = body(tape.constant(inputs), in: &pass)
    generator = pass.generator
    var total = loss(prediction, targets, on: tape)
    if penalties.weights > 0 {
      for (index, parameter) in parameters.enumerated() where parameter.role == .weight {
        let penalty = tape.penalty(variables[index], factor: Scalar(penalties.weights))
        total = tape.sum(total, penalty)
      }
    }
    if penalties.activations > 0 {
      for output in pass.outputs.compactMap(\.self) where output != prediction {
        // Over the batch it is a mean, as the loss.
        let share = Scalar(penalties.activations) / Scalar(inputs.shape[0])
        total = tape.sum(total, tape.penalty(output, factor: share))
      }
    }
    tape.backward(from: total, factor: factor)
    return Derivative(
      loss: tape.value(of: total).elements[0],
      gradients: variables.map(tape.gradient(of:)),
      activations: pass.outputs.map { $0.map(tape.value(of:)) },
      timeStepNorms: pass.timeSteps.map { tape.gradient(of: $0).norm }
    )
  }
}

extension NDArray {
  /// The L2 norm, in `Double`.
  fileprivate var norm: Double {
    elements.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
  }
}
