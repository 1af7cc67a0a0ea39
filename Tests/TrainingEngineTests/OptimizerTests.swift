import Testing
import TrainingEngine

@Suite("Optimizers")
struct OptimizerTests {
  /// A network of one weight, at 10, and a bias, at 0.
  private func makeNetwork() -> Network<Double> {
    var generator = SeededGenerator(seed: 0)
    return Network(
      inputCount: 1,
      plan: [.dense(1, .linear, .randomUniform(10, 10))],
      using: &generator
    )
  }

  @Test("the first update is the one of Keras's documentation")
  func firstUpdate() {
    // RMSprop: "opt = RMSprop(learning_rate=0.1); var1 = 10.0; loss = var1² / 2; … 9.683772".
    let expected: [(UpdateRule, Double)] = [
      (.sgd(learningRate: 0.1), 9), (.rmsprop(learningRate: 0.1), 9.683772),
      (.adam(learningRate: 0.1), 9.9),
    ]
    for (rule, weight) in expected {
      var network = makeNetwork()
      var optimizer = Optimizer<Double>(rule)
      let zero = NDArray<Double>(repeating: 0, shape: [1])
      optimizer.update(&network, with: [network.parameters[0].value, zero])
      expectClose(network.parameters[0].value.elements, [weight], tolerance: 1e-6, rule.name)
      #expect(network.parameters[1].value.elements == [0], "\(rule.name)")
    }
  }

  @Test("defaults are Keras's")
  func defaults() {
    #expect(UpdateRule.sgd() == .sgd(learningRate: 0.01))
    #expect(UpdateRule.rmsprop() == .rmsprop(learningRate: 0.001, rho: 0.9, epsilon: 1e-7))
    #expect(
      UpdateRule.adam() == .adam(learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-7)
    )
    #expect(UpdateRule.adam(learningRate: 0.008).learningRate == 0.008)
  }

  @Test("a copy of an optimizer keeps its own running means")
  func copies() {
    var network = makeNetwork()
    var optimizer = Optimizer<Double>(.adam())
    let gradients = network.parameters.map { NDArray(repeating: 0.5, shape: $0.value.shape) }
    optimizer.update(&network, with: gradients)
    var (copy, copiedNetwork) = (optimizer, network)
    copy.update(&copiedNetwork, with: gradients.map { NDArray(repeating: -9, shape: $0.shape) })
    var (second, secondNetwork) = (optimizer, network)
    optimizer.update(&network, with: gradients)
    second.update(&secondNetwork, with: gradients)
    #expect(network.parameters[0].value == secondNetwork.parameters[0].value)
    #expect(network.parameters[0].value != copiedNetwork.parameters[0].value)
  }
}
