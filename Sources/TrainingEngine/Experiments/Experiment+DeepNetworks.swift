// Twenty and fifty layers on two moons: D1 to D7.
extension Experiment {
  /// Twenty sigmoid layers with Glorot's initialization.
  static let deepSigmoid = Experiment(
    identifier: "D1",
    name: "deep-sigmoid",
    title: "Twenty sigmoid layers",
    source: Source.fixes,
    sourceClaim:
      "By the time the gradient reaches the early layers of a 20-layer network it can be effectively zero.",
    finding:
      "5·10⁻¹⁴ at the first layer, 0.2 at the last: 0.61 decades a layer. The loss stays at 0.69.",
    mustAlert: [
      ExpectedAlert("vanishing_gradient", .critical),
      ExpectedAlert("loss_plateau", .warning),
    ],
    mustNotAlert: [ExpectedAlert("exploding_gradient", .info)],
    data: .moons(count: 3000, noise: 0.25, seed: 1234),
    layers: deep(20, .sigmoid, .glorotUniform),
    loss: .binaryCrossEntropy,
    updateRule: .sgd(learningRate: 0.01),
    batchSize: 32,
    epochs: 6,
    seed: 1234
  )

  static let deepSigmoidAdam = deepSigmoid.varied(
    "D1a",
    "deep-sigmoid-adam",
    "Twenty sigmoid layers with Adam",
    claim: "(Adam divides by the gradient's size, so small gradients still move weights.)",
    finding: "Gradients vanish as with SGD, and Adam does not leave 0.69 in 564 steps either.",
    isFix: false,
    must: [
      ExpectedAlert("vanishing_gradient", .critical),
      ExpectedAlert("loss_plateau", .warning),
    ]
  ) { $0.updateRule = .adam() }

  static let deepSigmoidToReLU = deepSigmoid.varied(
    "D1-relu",
    "deep-sigmoid-to-relu",
    "Twenty layers, sigmoid changed to ReLU with He's initialization",
    claim: "ReLU passes gradients through without shrinkage: the fastest change, often enough.",
    finding: "Gradients are alike, and the loss falls to 0.24."
  ) { $0.layers = deep(20, .relu, .heNormal) }

  static let deepSigmoidToGELU = deepSigmoid.varied(
    "D1-gelu",
    "deep-sigmoid-to-gelu",
    "Twenty layers, sigmoid changed to GELU with He's initialization",
    claim: "GELU trains more stably than ReLU and has no dying units.",
    finding: "Gradients start at a hundredth and are alike by step 200; the loss falls to 0.28."
  ) { $0.layers = deep(20, .gelu, .heNormal) }

  static let deepSigmoidToSiLU = deepSigmoid.varied(
    "D1-silu",
    "deep-sigmoid-to-silu",
    "Twenty layers, sigmoid changed to SiLU with He's initialization",
    source: Source.strategies,
    claim: "Swap your activations to SiLU: the improvement is immediate and measurable.",
    finding:
      "Not with this initialization: near 0 SiLU halves what it is given, He's initialization makes up for ReLU's half only, and 564 steps don't leave 0.69. Gradients no longer vanish with depth.",
    must: [
      ExpectedAlert("update_ratio_too_low", .warning),
      ExpectedAlert("loss_plateau", .warning),
    ]
  ) { $0.layers = deep(20, .silu, .heNormal) }

  static let deepSigmoidNormalized = deepSigmoid.varied(
    "D1-bn",
    "deep-sigmoid-batch-norm",
    "Twenty sigmoid layers with batch normalization",
    claim: "Batch normalization keeps activations where gradients stay healthy.",
    finding: "Gradients are alike, larger towards the input, and the loss falls to 0.26."
  ) { $0.layers = deep(20, .sigmoid, .glorotUniform, normalization: .batch) }

  static let deepSigmoidResidual = deepSigmoid.varied(
    "D1-skip",
    "deep-sigmoid-residual",
    "Twenty sigmoid layers with skip connections",
    claim: "A skip connection is a gradient highway from the loss to early layers.",
    finding: "Gradients are alike, and the loss falls to 0.46."
  ) { $0.layers = deepResidual(10, .sigmoid, .glorotUniform, .none) }

  static let deepSigmoidShallow = deepSigmoid.varied(
    "D1-depth",
    "deep-sigmoid-shallower",
    "Three sigmoid layers instead of twenty",
    source: Source.tracking,
    claim: "Reduce the number of layers.",
    finding:
      "Gradients fall by 0.69 decades a layer still, over three layers only; at this rate 1,880 steps don't leave 0.69.",
    must: [
      ExpectedAlert("vanishing_gradient", .info),
      ExpectedAlert("loss_plateau", .warning),
    ]
  ) {
    $0.layers = deep(3, .sigmoid, .glorotUniform); $0.epochs = 20
  }

  static let deepTanh = deepSigmoid.varied(
    "D3",
    "deep-tanh",
    "Twenty tanh layers with Glorot's initialization",
    source: Source.strategies,
    claim: "Gradients fall to 0.001 of their size with each layer.",
    finding:
      "Not reproducible with a standard initialization: gradients of all layers are alike (0.01 decades a layer), and the network learns.",
    isFix: false
  ) { $0.layers = deep(20, .tanh, .glorotUniform) }

  static let deepTanhResidual = deepTanh.varied(
    "D4",
    "deep-tanh-residual",
    "Twenty tanh layers with skip connections",
    claim: "With skip connections they keep about 1.0 of their size.",
    finding: "So it is; but so it was without them."
  ) { $0.layers = deepResidual(10, .tanh, .glorotUniform, .none) }

  static let deepResidualReLU = deepSigmoid.varied(
    "D2r",
    "deep-residual-relu",
    "Twenty ReLU layers with skip connections and no normalization",
    source: Source.strategies,
    claim: "(The article's block has LayerNorm; this one leaves it out.)",
    finding:
      "Every block adds as much as it is given, so that twenty blocks multiply the signal by thousands: NaN at step 2.",
    isFix: false,
    must: [
      ExpectedAlert("exploding_gradient", .critical),
      ExpectedAlert("update_ratio_too_high", .critical),
      ExpectedAlert("loss_divergence", .critical),
      ExpectedAlert("non_finite_loss", .critical),
      ExpectedAlert("non_finite_gradient", .critical),
    ],
    mustNot: [ExpectedAlert("vanishing_gradient", .info)]
  ) {
    $0.data = .clusters(count: 1024, features: 2, classes: 2, deviation: 0.3, seed: 1234)
    $0.loss = .crossEntropy
    $0.layers = deepReLUResidual(.none)
    $0.updateRule = .sgd(learningRate: 0.002)
    $0.epochs = 8
  }

  static let deepResidualNormalized = deepResidualReLU.varied(
    "D2n",
    "deep-residual-layer-norm",
    "Twenty ReLU layers with skip connections and layer normalization",
    claim: "LayerNorm(x + Linear(GELU(Linear(x)))) keeps gradients alike over 20 layers.",
    finding: "So it does; the loss falls to 0.04."
  ) { $0.layers = deepReLUResidual(.layer) }

  static let fiftyHe = deepSigmoid.varied(
    "D5",
    "fifty-he",
    "Fifty ReLU layers with He's initialization",
    source: Source.strategies,
    claim: "Gradient norms stay between 0.5 and 2.0 (for a ResNet with batch normalization).",
    finding:
      "0.1 to 1.7 at step 0, and the network learns; one jump of the loss to three times the usual is told.",
    isFix: false,
    may: ["loss_spike"]
  ) { $0.layers = deep(50, .relu, .heNormal, width: 64) }

  static let fiftyXavier = fiftyHe.varied(
    "D6",
    "fifty-xavier",
    "Fifty ReLU layers with Xavier's initialization",
    claim: "Early-layer gradients drop below 0.01 within 1000 steps.",
    finding: "Far below: 2·10⁻⁹ at step 0, 10⁻¹⁴ at the end, and units die.",
    isFix: false,
    must: [
      ExpectedAlert("poor_initialization", .critical),
      ExpectedAlert("vanishing_gradient", .critical),
      ExpectedAlert("loss_plateau", .warning),
      ExpectedAlert("update_ratio_too_low", .warning),
    ],
    may: ["dead_relu", "uniformly_small_gradient"],
    mustNot: [ExpectedAlert("exploding_gradient", .info)]
  ) { $0.layers = deep(50, .relu, .glorotNormal, width: 64) }

  static let fiftyXavierToHe = fiftyXavier.varied(
    "D6-he",
    "fifty-xavier-to-he",
    "Fifty ReLU layers, Xavier's initialization changed to He's",
    claim: "He's initialization keeps the variance of activations.",
    finding: "So it does: as D5, with its one jump of the loss.",
    may: ["loss_spike"]
  ) { $0.layers = deep(50, .relu, .heNormal, width: 64) }

  static let fiftyXavierNormalized = fiftyXavier.varied(
    "D6-bn",
    "fifty-xavier-batch-norm",
    "Fifty ReLU layers with Xavier's initialization and batch normalization",
    claim: "Batch normalization is effective up to 100 layers.",
    finding:
      "Without skip connections it grows towards the input: a norm of 50,000 to 80,000 at step 0, one update of more than ten times the weights, then it learns slowly.",
    must: [
      ExpectedAlert("exploding_gradient", .critical)
    ],
    may: ["loss_plateau", "loss_spike", "gradient_spike", "update_ratio_too_high"]
  ) { $0.layers = deep(50, .relu, .glorotNormal, width: 64, normalization: .batch) }

  static let tinyWeights = deepSigmoid.varied(
    "D7",
    "tiny-weights",
    "Twenty ReLU layers with first weights within 0.05",
    claim: "If weights start too small, activations collapse to near zero.",
    finding: "10⁻¹⁹ at step 0, exactly 0 after.",
    isFix: false,
    must: [
      ExpectedAlert("poor_initialization", .critical),
      ExpectedAlert("loss_plateau", .warning),
      ExpectedAlert("unchanged_weights", .info),
    ],
    may: ["dead_relu"],
    mustNot: [ExpectedAlert("exploding_gradient", .info)]
  ) { $0.layers = deep(20, .relu, .randomUniform(-0.05, 0.05)) }

  static let tinyWeightsToHe = tinyWeights.varied(
    "D7-he",
    "tiny-weights-to-he",
    "Twenty ReLU layers, first weights within 0.05 changed to He's",
    claim: "He's initialization is free and mends a whole class of instability.",
    finding: "So it is; one jump of the loss to 2.3 times the usual is told.",
    may: ["loss_spike"]
  ) { $0.layers = deep(20, .relu, .heUniform) }

  /// `count` layers of one width, and one sigmoid unit.
  static func deep(
    _ count: Int,
    _ activation: Activation,
    _ initializer: Initializer,
    width: Int = 32,
    normalization: Normalization = .none
  ) -> [LayerPlan] {
    Array(
      repeating: .dense(width, activation, initializer, normalization: normalization),
      count: count
    ) + [.dense(1, .sigmoid, .glorotUniform)]
  }

  /// `count` residual blocks of two layers after a first layer, and one sigmoid unit.
  static func deepResidual(
    _ count: Int,
    _ activation: Activation,
    _ initializer: Initializer,
    _ normalization: Normalization,
    width: Int = 32
  ) -> [LayerPlan] {
    let block: LayerPlan = .residual([
      .normalization(normalization), .dense(width, activation, initializer),
      .dense(width, .linear, initializer),
    ])
    return [.dense(width, activation, initializer)] + Array(repeating: block, count: count)
      + [.dense(1, .sigmoid, .glorotUniform)]
  }

  /// Twenty blocks of one ReLU layer after a first layer, and two outputs.
  private static func deepReLUResidual(_ normalization: Normalization) -> [LayerPlan] {
    let block: LayerPlan = .residual([.normalization(normalization), .dense(32, .relu, .heNormal)])
    return [.dense(32, .relu, .heNormal)] + Array(repeating: block, count: 20) + [.dense(2)]
  }
}
