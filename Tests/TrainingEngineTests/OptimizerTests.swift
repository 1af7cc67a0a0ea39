import Testing
import TrainingEngine

@Suite("Optimizers")
struct OptimizerTests {
  /// A network of one weight, at 10, and a bias, at 0.
  private func makeNetwork() throws -> Network<Double> {
    var generator = SeededGenerator(seed: 0)
    return try Network(
      inputShape: [1],
      plan: [.dense(1, .linear, .randomUniform(10, 10))],
      using: &generator
    )
  }

  @Test("the first update is the one of Keras's documentation")
  func firstUpdate() throws {
    // RMSprop: "opt = RMSprop(learning_rate=0.1); var1 = 10.0; loss = var1² / 2; … 9.683772".
    let expected: [(UpdateRule, Double)] = [
      (.sgd(learningRate: 0.1), 9), (.rmsprop(learningRate: 0.1), 9.683772),
      (.adam(learningRate: 0.1), 9.9),
    ]
    for (rule, weight) in expected {
      var network = try makeNetwork()
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
  func copies() throws {
    var network = try makeNetwork()
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

  @Test("a frozen parameter stays as it is, and a given rate replaces the rule's")
  func frozen() throws {
    var network = try makeNetwork()
    var optimizer = Optimizer<Double>(.sgd(learningRate: 0.1))
    let gradients = network.parameters.map { NDArray(repeating: 2.0, shape: $0.value.shape) }
    optimizer.update(&network, with: gradients, learningRate: 0.5, frozen: [1])
    #expect(network.parameters.map(\.value.elements) == [[9], [0]])
    let slower = UpdateRule.adam(weightDecay: 0.1).withLearningRate(3)
    #expect(slower == .adam(learningRate: 3, weightDecay: 0.1))
    #expect(UpdateRule.adam(weightDecay: 0.1).name == "adamw" && UpdateRule.adam().name == "adam")
  }

  @Test("a growing limit doubles as often as told, up to the largest")
  func growingNorm() {
    let plan = ClippingPlan.growingNorm(first: 0.5, doublingEvery: 3, largest: 3)
    #expect((0..<11).map(plan.threshold) == [0.5, 0.5, 0.5, 1, 1, 1, 2, 2, 2, 3, 3])
    var gradients = [NDArray<Float>(shape: [2], elements: [3, 4])]
    let applied = plan.apply(&gradients, norm: 5, step: 3)
    #expect(applied.threshold == 1 && applied.didClip && !applied.isByValue)
    expectClose(gradients[0].elements.map { Double($0) }, [0.6, 0.8], tolerance: 1e-7, "clipped")
  }

  @Test("clipping keeps NaN and Inf where they are")
  func clippedNonFinite() {
    let start = [NDArray<Float>(shape: [3], elements: [.nan, .infinity, 9])]
    var gradients = start
    let byNorm = ClippingPlan.norm(1).apply(&gradients, norm: .nan, step: 0)
    #expect(!byNorm.didClip && gradients[0].elements[1...] == [.infinity, 9])
    _ = ClippingPlan.norm(1).apply(&gradients, norm: .infinity, step: 0)
    #expect(gradients[0].elements[1...] == [.infinity, 9])
    _ = ClippingPlan.value(2).apply(&gradients, norm: .nan, step: 0)
    #expect(gradients[0].elements[0].isNaN && gradients[0].elements[1...] == [2, 2])
  }

  @Test("phases of a schedule: warm-up, then what follows, from its own start")
  func phases() {
    let schedule = RateSchedule.warmUp(steps: 2, then: .cosine(period: 4))
    #expect((0..<5).map(schedule.phase) == [.warmUp, .warmUp, .main, .decay, .decay])
    #expect((0..<2).map(RateSchedule.constant.phase) == [.main, .main])
    #expect((0..<2).map(RateSchedule.steps(every: 2, factor: 0.5).phase) == [.main, .decay])
  }

  @Test("a schedule that never steps is refused")
  func scheduleCheck() throws {
    for schedule in [
      RateSchedule.warmUp(steps: 0), .warmUp(steps: 3, then: .cosine(period: 0)),
      .steps(every: -1, factor: 0.5),
    ] {
      #expect(throws: TrainingError.self) { try schedule.check() }
    }
    try RateSchedule.warmUp(steps: 3, then: .cosine(period: 5)).check()
  }

  @Test("a scaled gradient is held to the range of half precision")
  func halfPrecision() {
    let limits: [(Float, Float)] = [
      (65_504, 65_504), (65_505, .infinity), (-70_000, -.infinity), (0x1p-25, 0),
      (-0x1p-25, 0), (0x1.1p-25, 0x1p-24), (0x1.8p-23, 0x1.8p-23), (0x1.9p-23, 0x1.8p-23), (1, 1),
      (-.infinity, -.infinity),
    ]
    for (gradient, expected) in limits { #expect(LossScaling.limited(gradient) == expected) }
    #expect(LossScaling.limited(.nan).isNaN)
  }
}
