import Testing
import TrainingEngine

@Suite("Against PyTorch")
struct OracleTests {
  @Test("loss, gradients, activations and time steps are PyTorch's", arguments: OracleNetwork.all)
  func network(_ oracle: OracleNetwork) throws {
    let network = try oracle.makeNetwork()
    var generator = SeededGenerator(seed: 0)
    let derivative = network.differentiate(
      oracle.loss,
      inputs: oracle.inputs,
      targets: oracle.targets(classes: network.outputShape.last ?? 0),
      penalties: oracle.penalties,
      using: &generator
    )
    expectClose([derivative.loss], [oracle.value], tolerance: 1e-12, "loss")
    #expect(derivative.gradients.map(\.shape) == network.parameters.map(\.value.shape))
    try #require(derivative.gradients.count == oracle.gradients.count)
    for (index, expected) in oracle.gradients.enumerated() {
      expectClose(
        derivative.gradients[index].elements,
        expected,
        tolerance: 1e-11,
        "gradient of \(network.parameters[index].name)"
      )
    }
    #expect(derivative.activations.map { $0 == nil } == oracle.activations.map { $0 == nil })
    for (index, expected) in oracle.activations.enumerated() {
      expectClose(
        derivative.activations[index]?.elements ?? [],
        expected ?? [],
        tolerance: 1e-12,
        "activations of \(network.layers[index].name)"
      )
    }
    expectClose(
      derivative.timeStepNorms,
      oracle.timeStepNorms,
      tolerance: 1e-12,
      "norms by time step"
    )
  }

  @Test("an optimizer's updates are PyTorch's", arguments: OracleTrajectory.all)
  func optimizer(_ oracle: OracleTrajectory) throws {
    var generator = SeededGenerator(seed: 0)
    var network = try Network<Double>(
      inputShape: [3],
      plan: [.dense(4, .tanh), .dense(2)],
      using: &generator
    )
    network.fillWithWaves()
    var optimizer = Optimizer<Double>(oracle.rule)
    for _ in 0..<oracle.updates {
      let derivative = network.differentiate(
        .meanSquaredError,
        inputs: .wave([5, 3], seed: 0),
        targets: .wave([5, 2], seed: 50),
        using: &generator
      )
      optimizer.update(&network, with: derivative.gradients)
    }
    #expect(network.parameters.count == oracle.parameters.count)
    for (parameter, expected) in zip(network.parameters, oracle.parameters) {
      expectClose(parameter.value.elements, expected, tolerance: 1e-11, parameter.name)
    }
  }

  @Test("gradients are limited as PyTorch limits them", arguments: OracleClipping.all)
  func clipping(_ oracle: OracleClipping) {
    var gradients = [([3, 2], 1.0), ([4], 2.0)].map { shape, seed in
      NDArray<Float>(
        shape: shape,
        elements: NDArray<Double>.wave(shape, seed: seed).elements.map { Float($0) }
      )
    }
    let norm = gradients.flatMap(\.elements).reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    let unlimited = gradients
    let applied = oracle.plan.apply(&gradients, norm: norm, step: 0)
    // PyTorch divides by the norm plus 10⁻⁶.
    for (found, expected) in zip(gradients, oracle.gradients) {
      expectClose(found.elements.map { Double($0) }, expected, tolerance: 2e-6, oracle.plan.name)
    }
    #expect(applied.didClip == (gradients != unlimited))
    #expect(applied.threshold == oracle.plan.threshold(at: 0))
    #expect(applied.isByValue == (oracle.plan == .value(0.4)))
  }

  @Test("rates change as PyTorch's schedulers change them", arguments: OracleSchedule.all)
  func schedule(_ oracle: OracleSchedule) {
    let factors = oracle.factors.indices.map { oracle.schedule.factor(at: $0) }
    expectClose(factors, oracle.factors, tolerance: 1e-12, oracle.schedule.name)
  }
}
