// Dead units, rates that are too high or too low, and scalar products: P1 and what the articles warn of.
extension Experiment {
  /// A rate so high that the first updates push ReLU units below 0 for good.
  static let deadReLU = Experiment(
    identifier: "U1",
    name: "dead-relu",
    title: "ReLU units killed by Adam at a rate of 1",
    source: Source.chapter,
    sourceClaim: "A unit that outputs zero for most inputs may stop learning.",
    finding: "77 % of the second layer's units are dead by step 48, more than 90 % by step 102.",
    mustAlert: [
      ExpectedAlert("dead_relu", .critical)
    ],
    mayAlert: [
      "update_ratio_too_high", "vanishing_gradient", "loss_divergence", "loss_spike",
      "gradient_spike", "exploding_gradient", "loss_plateau", "unchanged_weights",
    ],
    mustNotAlert: [ExpectedAlert("non_finite_loss", .info)],
    data: .clusters(count: 1024, features: 8, classes: 4, deviation: 0.4, seed: 1234),
    layers: [.dense(32, .relu, .heNormal), .dense(32, .relu, .heNormal), .dense(4)],
    loss: .crossEntropy,
    updateRule: .adam(learningRate: 1),
    batchSize: 32,
    epochs: 12,
    seed: 1234
  )

  static let deadReLULowerRate = deadReLU.varied(
    "U1-rate",
    "dead-relu-lower-rate",
    "ReLU units with Adam at a rate of 0.01",
    claim: "Lower the learning rate.",
    finding: "No unit dies, and the loss falls to 0.06."
  ) { $0.updateRule = .adam(learningRate: 0.01) }

  static let deadReLUToLeaky = deadReLU.varied(
    "U1-leaky",
    "dead-relu-to-leaky",
    "LeakyReLU units with Adam at a rate of 1",
    claim: "Use Leaky ReLU or GELU.",
    finding: "No unit dies; the rate is as much too high as before.",
    may: [
      "update_ratio_too_high", "loss_divergence", "loss_spike", "exploding_gradient",
      "gradient_spike", "loss_plateau", "loss_oscillation",
    ],
    mustNot: [ExpectedAlert("dead_relu", .info)]
  ) {
    $0.layers = [.dense(32, .leakyReLU, .heNormal), .dense(32, .leakyReLU, .heNormal), .dense(4)]
  }

  static let chainOfSigmoids = deadReLU.varied(
    "P1v",
    "chain-of-sigmoids",
    "Twenty sigmoids of one unit each",
    claim: "Each derivative is at most 0.25, and 0.25 to the 20th is 9·10⁻¹³.",
    finding: "10⁻¹⁴ at the first, 0.1 at the last: 0.65 decades a layer.",
    isFix: false,
    must: [
      ExpectedAlert("vanishing_gradient", .critical),
      ExpectedAlert("loss_plateau", .warning),
    ],
    mustNot: [ExpectedAlert("exploding_gradient", .info)]
  ) {
    $0.data = .moons(count: 1024, noise: 0.25, seed: 1234)
    $0.loss = .binaryCrossEntropy
    $0.layers =
      Array(repeating: .dense(1, .sigmoid, .constant(1)), count: 20) + [.dense(1, .sigmoid)]
    $0.updateRule = .sgd(learningRate: 0.01)
    $0.epochs = 4
  }

  static let chainOfGains = deadReLU.varied(
    "P1e",
    "chain-of-gains",
    "Fifty linear units with a weight of 1.5 each",
    claim: "1.5 to the 50th is 6·10⁸.",
    finding: "The loss starts at 5·10¹⁷, and is Inf at step 1.",
    isFix: false,
    must: [
      ExpectedAlert("exploding_gradient", .critical),
      ExpectedAlert("poor_initialization", .critical),
      ExpectedAlert("update_ratio_too_high", .critical),
      ExpectedAlert("non_finite_loss", .critical),
      ExpectedAlert("non_finite_gradient", .critical),
    ],
    mustNot: [ExpectedAlert("vanishing_gradient", .info)]
  ) {
    $0.data = .moons(count: 1024, noise: 0.25, seed: 1234)
    $0.loss = .meanSquaredError
    $0.layers = Array(repeating: .dense(1, .linear, .constant(1.5)), count: 50)
    $0.updateRule = .sgd(learningRate: 0.01)
    $0.epochs = 2
  }

  static let highRate = deadReLU.varied(
    "L1",
    "high-rate",
    "A rate of 5",
    source: Source.strategies,
    claim: "If gradients already spike, a large rate multiplies the problem.",
    finding: "Updates of six times the weights; NaN at step 10.",
    isFix: false,
    must: [
      ExpectedAlert("update_ratio_too_high", .critical),
      ExpectedAlert("non_finite_loss", .critical),
    ],
    may: ["loss_divergence", "exploding_gradient", "non_finite_gradient"],
    mustNot: [ExpectedAlert("vanishing_gradient", .info)]
  ) { $0.updateRule = .sgd(learningRate: 5) }

  static let highRateWarmedUp = highRate.varied(
    "L1-warm",
    "high-rate-to-warm-up",
    "A rate of 0.1 with a warm-up and a cosine with restarts",
    claim: "Start lower, warm up over 5 to 10 % of the steps, then a cosine with warm restarts.",
    finding: "The loss falls to 0.09, and no restart is taken for a fault."
  ) {
    $0.updateRule = .sgd(learningRate: 0.1)
    $0.schedule = .warmUp(steps: 30, then: .cosine(period: 118, floor: 0.01))
  }

  static let lowRate = deadReLU.varied(
    "L2",
    "low-rate",
    "A rate of 10⁻⁷",
    source: Source.fixes,
    claim: "If norms are alike but nothing learns, it may be the learning rate.",
    finding: "All layers' gradients are alike; updates are 10⁻⁸ of the weights.",
    isFix: false,
    must: [
      ExpectedAlert("update_ratio_too_low", .warning),
      ExpectedAlert("loss_plateau", .warning),
    ],
    mustNot: [ExpectedAlert("vanishing_gradient", .info)]
  ) { $0.updateRule = .sgd(learningRate: 1e-7) }
}
