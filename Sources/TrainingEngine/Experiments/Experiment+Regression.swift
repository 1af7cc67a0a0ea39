// A regression whose first weights are far too large: N6 to N9.
extension Experiment {
  /// The demonstration of exploding gradients: far too large first weights.
  ///
  /// Lost in the article's text: the call that makes the data, except for its 15 features. The
  /// number of samples (1000), the noise (10) and the seed are chosen here; 10 informative features
  /// are scikit-learn's default. As in the article's code, only the hidden layer has the large
  /// weights, and the output layer Keras's default. The number of epochs and the batch size are
  /// those of its other network.
  static let explodingRegression = Experiment(
    identifier: "N6",
    name: "exploding-regression",
    title: "Regression with first weights from 4 to 5",
    source: Source.tracking,
    sourceClaim: "Gradients explode: the tracker refuses to log infinite or NaN values.",
    finding: "The norm is 2·10⁴ at step 0 and 5·10³¹ at step 3, where the loss is Inf.",
    mustAlert: [
      ExpectedAlert("poor_initialization", .critical),
      ExpectedAlert("exploding_gradient", .critical),
      ExpectedAlert("non_finite_loss", .critical),
      ExpectedAlert("non_finite_gradient", .critical),
    ],
    mayAlert: ["loss_divergence", "update_ratio_too_high"],
    mustNotAlert: [
      ExpectedAlert("vanishing_gradient", .info),
      ExpectedAlert("uniformly_small_gradient", .info),
      ExpectedAlert("dead_relu", .info),
      ExpectedAlert("loss_plateau", .info),
      ExpectedAlert("clipping_every_step", .info),
      ExpectedAlert("unchanged_weights", .info),
    ],
    data: .regression(count: 1000, features: 15, informative: 10, noise: 10, seed: 1234),
    layers: [
      .dense(35, .relu, .randomUniform(4, 5)),
      .dense(1, .linear, .glorotUniform),
    ],
    loss: .meanSquaredError,
    updateRule: .sgd(learningRate: 0.01),
    batchSize: 32,
    epochs: 100,
    seed: 1234
  )

  static let clippedRegression = explodingRegression.varied(
    "N7",
    "clipped-regression",
    "Regression with Glorot's initialization, ReLU, and values clipped at 50",
    claim: "Clipping by value bounds the gradients.",
    finding:
      "Bounded, with a second fault: every step is clipped (norms 290 at first, 160 at the end), and updates are half of the weights at first.",
    must: [
      ExpectedAlert("clipping_every_step", .warning),
      ExpectedAlert("update_ratio_too_high", .warning),
    ],
    mustNot: [
      ExpectedAlert("exploding_gradient", .info),
      ExpectedAlert("non_finite_loss", .info),
      ExpectedAlert("non_finite_gradient", .info),
      ExpectedAlert("vanishing_gradient", .info),
      ExpectedAlert("loss_divergence", .warning),
    ]
  ) {
    $0.layers = [.dense(35, .relu, .glorotNormal), .dense(1, .linear, .glorotUniform)]
    $0.clipping = .value(50)
  }

  static let glorotReLURegression = explodingRegression.varied(
    "N7b",
    "glorot-relu-regression",
    "Regression with Glorot's initialization and ReLU",
    claim: "(The article never tries it without clipping.)",
    finding:
      "Initialization alone does not mend it: the rate is too high for targets of this size, and the loss is NaN at step 11.",
    must: [
      ExpectedAlert("update_ratio_too_high", .critical),
      ExpectedAlert("exploding_gradient", .critical),
      ExpectedAlert("non_finite_loss", .critical),
      ExpectedAlert("non_finite_gradient", .critical),
    ],
    may: ["loss_divergence"]
  ) { $0.layers = [.dense(35, .relu, .glorotNormal), .dense(1, .linear, .glorotUniform)] }

  static let clippedAloneRegression = explodingRegression.varied(
    "N6c",
    "exploding-regression-clipped",
    "Regression with first weights from 4 to 5, norm clipped at 1",
    source: Source.fixes,
    claim: "Clipping prevents any single update from destabilizing the weights.",
    finding:
      "No NaN, but no cure: the norm is cut to a ten-thousandth at every step, and the loss ends at 65 % of where it began. The fault is the initialization.",
    must: [
      ExpectedAlert("poor_initialization", .warning),
      ExpectedAlert("clipping_every_step", .warning),
    ],
    may: ["loss_spike"]
  ) { $0.clipping = .norm(1) }

  static let glorotTanhRegression = explodingRegression.varied(
    "N8",
    "glorot-tanh-regression",
    "Regression with Glorot's initialization and tanh",
    claim: "Glorot's initialization fixes the exploding gradients.",
    finding:
      "It does; but targets are not scaled, so first updates are larger than the weights, and 93 % of the tanh outputs end saturated.",
    must: [
      ExpectedAlert("saturated_activation", .warning),
      ExpectedAlert("update_ratio_too_high", .critical),
    ],
    may: ["loss_spike"],
    mustNot: [
      ExpectedAlert("exploding_gradient", .info),
      ExpectedAlert("non_finite_loss", .info),
      ExpectedAlert("non_finite_gradient", .info),
      ExpectedAlert("vanishing_gradient", .info),
      ExpectedAlert("uniformly_small_gradient", .info),
      ExpectedAlert("poor_initialization", .warning),
      ExpectedAlert("loss_divergence", .warning),
      ExpectedAlert("clipping_every_step", .info),
      ExpectedAlert("unchanged_weights", .info),
    ]
  ) { $0.layers = [.dense(35, .tanh, .glorotNormal), .dense(1, .linear, .glorotUniform)] }

  static let penalizedRegression = glorotTanhRegression.varied(
    "N9",
    "penalized-regression",
    "Regression with tanh and penalties on weights and activations",
    claim: "L2 penalties on the kernel and the activity keep gradients under control.",
    finding: "Gradients are as large as without penalties (330 at first); what N8 has, it has.",
    must: [
      ExpectedAlert("saturated_activation", .warning),
      ExpectedAlert("update_ratio_too_high", .critical),
    ],
    may: ["loss_spike"],
    mustNot: [
      ExpectedAlert("exploding_gradient", .info),
      ExpectedAlert("non_finite_loss", .info),
      ExpectedAlert("non_finite_gradient", .info),
      ExpectedAlert("vanishing_gradient", .info),
    ]
  ) { $0.penalties = Penalties(weights: 0.01, activations: 0.01) }

  static let scaledRegression = glorotTanhRegression.varied(
    "N8s",
    "scaled-regression",
    "Regression with tanh and targets of variance 1",
    source: Source.ours,
    claim: "(The article does not scale its targets.)",
    finding: "Both faults of N8 are gone: norms of 0.3, the loss 0.01 of the variance."
  ) {
    $0.data = .regression(
      count: 1000,
      features: 15,
      informative: 10,
      noise: 10,
      seed: 1234,
      standardized: true
    )
  }
}
