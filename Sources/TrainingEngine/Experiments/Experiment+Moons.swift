// Sigmoids on two moons: N1 to N5.
extension Experiment {
  /// The demonstration of vanishing gradients: sigmoids on two moons.
  ///
  /// Deviations from the article: it shuffles within a window of 42 samples, this one shuffles all;
  /// its random numbers are NumPy's and TensorFlow's. The article plots the signed mean gradient,
  /// in which positive and negative elements cancel.
  static let sigmoidMoons = Experiment(
    identifier: "N1",
    name: "sigmoid-moons",
    title: "Sigmoid network on two moons",
    source: Source.tracking,
    sourceClaim: "Gradients vanish: the mean gradient of layer 1 is virtually zero (below 0.006),"
      + " while that of layer 4 fluctuates.",
    finding:
      "A slow start that recovers: gradients fall by 0.64 decades a layer at step 0, by 0.08 at the end.",
    mustAlert: [ExpectedAlert("vanishing_gradient", .info)],
    mustNotAlert: [.any(.warning)],
    data: .moons(count: 3000, noise: 0.25, seed: 1234),
    layers: sigmoidLayers(.sigmoid, .randomUniform(-1, 1)),
    loss: .binaryCrossEntropy,
    updateRule: .rmsprop(learningRate: 0.001, rho: 0.9, epsilon: 1e-7),
    batchSize: 32,
    epochs: 100,
    seed: 1234
  )

  static let reluMoons = sigmoidMoons.varied(
    "N2",
    "relu-moons",
    "ReLU network on two moons",
    claim: "With ReLU the gradients of layer 1 vary over the epochs.",
    finding: "They do; the loss ends lower."
  ) { $0.layers = sigmoidLayers(.relu, .randomUniform(-1, 1)) }

  static let shallowMoons = sigmoidMoons.varied(
    "N3",
    "shallow-moons",
    "One hidden sigmoid layer on two moons",
    claim: "With one hidden layer both layers' gradients vary.",
    finding:
      "Both layers' gradients vary; but the loss stays near 0.69 for 570 steps before it falls, and the collector says so.",
    must: [ExpectedAlert("loss_plateau", .warning)]
  ) {
    $0.layers = [
      .dense(3, .sigmoid, .randomUniform(-1, 1)), .dense(1, .sigmoid, .randomUniform(-1, 1)),
    ]
  }

  static let glorotSigmoidMoons = sigmoidMoons.varied(
    "N4",
    "glorot-sigmoid-moons",
    "Sigmoid network with Glorot's initialization on two moons",
    claim: "Glorot's initialization improves it, layer 1 is still flatter.",
    finding:
      "It does not improve: U(-1, 1) is wider than Glorot's bounds here, gradients fall faster (0.50 decades a layer), and the loss stays at 0.68 until step 500.",
    must: [
      ExpectedAlert("vanishing_gradient", .info),
      ExpectedAlert("loss_plateau", .warning),
    ]
  ) { $0.layers = sigmoidLayers(.sigmoid, .glorotUniform) }

  static let adamSigmoidMoons = sigmoidMoons.varied(
    "N5",
    "adam-sigmoid-moons",
    "Sigmoid network with Adam at a rate of 0.008 on two moons",
    claim: "Gradients of layer 1 vary, and the network converges.",
    finding: "It leaves the flat start within 300 steps.",
    must: [ExpectedAlert("vanishing_gradient", .info)]
  ) { $0.updateRule = .adam(learningRate: 0.008) }

  static let normalizedSigmoidMoons = sigmoidMoons.varied(
    "N5b",
    "normalized-sigmoid-moons",
    "Sigmoid network with batch normalization on two moons",
    claim: "Batch normalization keeps sums where the sigmoid is steep.",
    finding: "Gradients of all layers are alike."
  ) {
    $0.layers = [
      .dense(10, .sigmoid, .randomUniform(-1, 1), normalization: .batch),
      .dense(10, .sigmoid, .randomUniform(-1, 1), normalization: .batch),
      .dense(5, .sigmoid, .randomUniform(-1, 1), normalization: .batch),
      .dense(1, .sigmoid, .randomUniform(-1, 1)),
    ]
  }

  private static func sigmoidLayers(_ hidden: Activation, _ initializer: Initializer) -> [LayerPlan]
  {
    [
      .dense(10, hidden, initializer),
      .dense(10, hidden, initializer),
      .dense(5, hidden, initializer),
      .dense(1, .sigmoid, initializer),
    ]
  }
}
