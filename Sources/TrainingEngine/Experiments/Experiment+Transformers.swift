// Twelve transformer layers on synthetic tokens: T1 and its fixes.
extension Experiment {
  /// Twelve layers with the normalization after each sum, as first published, and Adam without warm-up.
  static let hotTransformer = Experiment(
    identifier: "T1",
    name: "hot-transformer",
    title: "Twelve transformer layers, Adam at 3·10⁻⁴ without warm-up",
    source: Source.strategies,
    sourceClaim: "The gradient norm hits 50 within 100 steps.",
    finding:
      "Not at this size: norms stay below 1. The loss stays near chance for 160 steps, as post-norm layers do without warm-up.",
    mustAlert: [],
    mayAlert: ["loss_plateau"],
    mustNotAlert: [
      ExpectedAlert("exploding_gradient", .info),
      ExpectedAlert("gradient_spike", .warning),
    ],
    data: .tokens(count: 512, length: 16, vocabulary: 32, surprise: 0.1, seed: 1234),
    layers: transformer(isPreNorm: false),
    loss: .crossEntropy,
    updateRule: .adam(learningRate: 3e-4),
    batchSize: 8,
    epochs: 4,
    seed: 1234
  )

  static let veryHotTransformer = hotTransformer.varied(
    "T1x",
    "very-hot-transformer",
    "Twelve transformer layers, Adam at 10⁻² without warm-up",
    source: Source.ours,
    claim: "(A rate thirty times the article's.)",
    finding:
      "The residual stream is broken by step 16: gradients vanish below the last layers, and the loss stays at chance.",
    isFix: false,
    must: [
      ExpectedAlert("vanishing_gradient", .critical)
    ],
    may: ["loss_plateau"],
    mustNot: [ExpectedAlert("non_finite_loss", .info)]
  ) { $0.updateRule = .adam(learningRate: 1e-2) }

  static let warmTransformer = hotTransformer.varied(
    "T1-warm",
    "warm-transformer",
    "Twelve transformer layers, Adam at 3·10⁻⁵ with a warm-up",
    claim: "A tenth of the rate and a warm-up bring the norm to 2.5.",
    finding: "Norms below 1 as before; at a tenth of the rate little is learned in 256 steps."
  ) {
    $0.updateRule = .adam(learningRate: 3e-5); $0.schedule = .warmUp(steps: 100)
  }

  static let preNormTransformer = hotTransformer.varied(
    "T1-pre",
    "pre-norm-transformer",
    "Twelve transformer layers with the normalization before each part",
    claim: "The pre-norm formulation is more stable than post-norm.",
    finding: "It learns at once."
  ) { $0.layers = transformer(isPreNorm: true) }

  static let coolTransformer = veryHotTransformer.varied(
    "T1x-rate",
    "cool-transformer",
    "Twelve pre-norm layers, Adam at 10⁻³ with warm-up and a cosine",
    claim: "Warm-up over 5 to 10 % of the steps, then a cosine.",
    finding: "It learns as fast as pre-norm-transformer."
  ) {
    $0.layers = transformer(isPreNorm: true)
    $0.updateRule = .adam(learningRate: 1e-3)
    $0.schedule = .warmUp(steps: 25, then: .cosine(period: 231))
  }

  /// `count` layers of width 32 with 4 heads.
  static func transformer(isPreNorm: Bool, count: Int = 12, width: Int = 32) -> [LayerPlan] {
    let output = Initializer.scaledNormal(layers: count)
    let attention = LayerPlan.attention(heads: 4, .normal(0.02), output: output)
    let feed: [LayerPlan] = [
      .dense(4 * width, .gelu, .normal(0.02)), .dense(width, .linear, output),
    ]
    let norm = LayerPlan.normalization(.layer)
    let block: LayerPlan =
      isPreNorm
      ? .block([.residual([norm, attention]), .residual([norm] + feed)])
      : .block([.residual([attention]), norm, .residual(feed), norm])
    return [.embedding(count: 32, width: width), .positions()]
      + Array(repeating: block, count: count)
      + (isPreNorm ? [norm] : []) + [.dense(32, .linear, .normal(0.02))]
  }
}
