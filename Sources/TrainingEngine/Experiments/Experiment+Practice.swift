// What happens in practice and must not be taken for a fault, and synthetic faults: S1 and A1.
extension Experiment {
  /// A small healthy network, into which faults are put.
  static let healthyClusters = Experiment(
    identifier: "S0",
    name: "healthy-clusters",
    title: "A healthy network on four clusters",
    source: Source.ours,
    sourceClaim: "(The baseline of the faults that follow.)",
    finding: "Nothing is raised.",
    mustAlert: [],
    mustNotAlert: [.any(.warning)],
    data: .clusters(count: 2048, features: 16, classes: 4, deviation: 0.7, seed: 1234),
    layers: [.dense(32, .tanh), .dense(32, .tanh), .dense(32, .tanh), .dense(4)],
    loss: .crossEntropy,
    updateRule: .sgd(learningRate: 0.05),
    batchSize: 32,
    epochs: 8,
    seed: 1234
  )

  static let jumpingGradient = healthyClusters.varied(
    "S1j",
    "jumping-gradient",
    "One batch of inputs 10,000 times too large",
    source: Source.strategies,
    claim: "The norm jumps from 0.1 to 1000: an instability.",
    finding:
      "A norm of 12,000 at step 300, 22,000 times the usual; the update destroys the network, which does not recover.",
    isFix: false,
    must: [
      ExpectedAlert("gradient_spike", .critical),
      ExpectedAlert("exploding_gradient", .critical),
      ExpectedAlert("loss_spike", .critical),
    ],
    may: [
      "loss_divergence", "update_ratio_too_high", "dead_relu", "update_ratio_too_low",
      "loss_plateau",
    ],
    mustNot: [ExpectedAlert("vanishing_gradient", .info)]
  ) {
    $0.layers = [.dense(32, .relu, .heNormal), .dense(32, .relu, .heNormal), .dense(4)]
    $0.faults = [.scaledInputs(1e4, steps: 300..<301)]
  }

  static let collapsedGradient = healthyClusters.varied(
    "S1c",
    "collapsed-gradient",
    "Gradients multiplied by 10⁻⁷ from step 5",
    source: Source.strategies,
    claim: "The norm collapses below 10⁻⁷ for good.",
    finding: "",
    isFix: false,
    must: [ExpectedAlert("uniformly_small_gradient", .warning)],
    mustNot: [ExpectedAlert("exploding_gradient", .info)]
  ) {
    $0.faults = [.scaledGradients(1e-7, steps: 5..<100_000)]; $0.epochs = 10
  }

  static let longTailedGradient = healthyClusters.varied(
    "S1t",
    "long-tailed-gradient",
    "Every hundredth element of each gradient 3,000 times too large from step 300",
    source: Source.strategies,
    claim: "Long tails extending past 10 say that explosions are imminent.",
    finding: "So they do; values are clipped at 0.1 here, so that training goes on.",
    isFix: false,
    must: [ExpectedAlert("gradient_long_tail", .warning)],
    may: [
      "clipping_every_step", "gradient_spike", "exploding_gradient", "loss_spike",
      "loss_divergence",
    ],
    mustNot: [ExpectedAlert("vanishing_gradient", .info)]
  ) {
    $0.faults = [.scaledElements(3000, every: 100, steps: 300..<100_000)]
    $0.clipping = .value(0.1)
    $0.epochs = 12
  }

  static let underflowingGradient = healthyClusters.varied(
    "S1u",
    "underflowing-gradient",
    "Gradients of a millionth in the range of half precision, at a rate of 50,000",
    source: Source.strategies,
    claim: "If histograms cluster around 10⁻⁸, vanishing is your culprit.",
    finding: "Half precision has nothing below 6·10⁻⁸: most elements are exactly 0.",
    isFix: false,
    must: [ExpectedAlert("gradient_underflow", .warning)],
    mustNot: [ExpectedAlert("exploding_gradient", .info)]
  ) {
    $0.faults = [.scaledGradients(1e-6, steps: 0..<100_000)]
    $0.lossScaling = LossScaling(initialScale: 1)
    $0.updateRule = .sgd(learningRate: 5e4)
  }

  static let rescuedGradient = underflowingGradient.varied(
    "S1u-scale",
    "underflowing-gradient-scaled",
    "The same with the loss scaled by 65,536",
    source: Source.ours,
    claim: "(Loss scaling lifts gradients into the range: Micikevicius et al., 2018.)",
    finding: "Nothing is lost, and the network learns as if in single precision."
  ) { $0.lossScaling = LossScaling(initialScale: 65_536) }

  static let scaledGradients = healthyClusters.varied(
    "A1-amp",
    "scaled-gradients",
    "Loss scaled by 65,536, reported before it is undone",
    claim: "(A norm of 65,536 times the usual is no explosion.)",
    finding: "Nothing is raised.",
    isFix: false
  ) { $0.lossScaling = LossScaling(reportsScaledGradients: true) }

  static let skippedSteps = healthyClusters.varied(
    "A1-skip",
    "skipped-steps",
    "Loss scaling that starts too high and skips until it fits",
    claim: "(Skipped steps at the start are how the scale is found.)",
    finding: "Nothing above info: four skipped steps.",
    isFix: false,
    must: [ExpectedAlert("non_finite_gradient", .info)]
  ) { $0.lossScaling = LossScaling(initialScale: 0x1p24, growthInterval: 200) }

  static let frozenBackbone = healthyClusters.varied(
    "A1-frozen",
    "frozen-backbone",
    "Two frozen layers below two that train",
    claim: "(Frozen layers have no gradient, and that is meant.)",
    finding: "Nothing is raised.",
    isFix: false
  ) { $0.frozenLayers = ["dense_1", "dense_2"] }

  static let cosineTail = healthyClusters.varied(
    "A1-tail",
    "cosine-tail",
    "AdamW along a cosine to 0",
    claim: "(At the end of a schedule updates shrink to nothing, and that is meant.)",
    finding: "Nothing is raised.",
    isFix: false
  ) {
    $0.updateRule = .adam(learningRate: 0.003, weightDecay: 0.1)
    $0.schedule = .cosine(period: 512)
  }

  static let warmUp = healthyClusters.varied(
    "A1-warm",
    "long-warm-up",
    "A warm-up over half of the run",
    claim: "(Small updates at the start are meant.)",
    finding: "Nothing is raised.",
    isFix: false
  ) { $0.schedule = .warmUp(steps: 256) }

  static let nanOnOneRank = healthyClusters.varied(
    "A1-rank",
    "nan-on-one-rank",
    "Four ranks, of which one reads a NaN at step 60",
    claim: "(The rank that differs is named before all are NaN.)",
    finding: "Rank 3 alone is named at step 60; the update makes all NaN.",
    isFix: false,
    must: [
      ExpectedAlert("non_finite_loss", .critical),
      ExpectedAlert("rank_divergence", .warning),
    ],
    may: ["non_finite_gradient"],
    mustNot: [ExpectedAlert("exploding_gradient", .info)]
  ) {
    $0.rankCount = 4
    $0.batchSize = 16
    $0.faults = [.nanInput(rank: 3, steps: 60..<61)]
  }
}
