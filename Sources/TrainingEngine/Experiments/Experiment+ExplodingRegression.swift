extension Experiment {
  /// The demonstration of exploding gradients: far too large first weights.
  ///
  /// Lost in the article's text: the call that makes the data, except for its 15 features. The
  /// number of samples (1000), the noise (10) and the seed are chosen here; 10 informative features
  /// are scikit-learn's default. As in the article's code, only the hidden layer has the large
  /// weights, and the output layer Keras's default. The number of epochs and the batch size are
  /// those of its other network.
  ///
  /// Measured here: global gradient norm 2·10⁴, 3·10⁶, 5·10¹², 5·10³¹; the loss is Inf at step 3,
  /// the gradients NaN at step 4, and the run ends by itself at step 15.
  public static let explodingRegression = Experiment(
    identifier: "N6",
    name: "exploding-regression",
    title: "Regression with first weights from 4 to 5",
    source: articleOnDebugging,
    sourceClaim: "Gradients explode: the tracker refuses to log infinite or NaN values.",
    mustAlert: [
      ExpectedAlert("poor_initialization", .critical),
      ExpectedAlert("exploding_gradient", .critical),
      ExpectedAlert("non_finite_loss", .critical),
      ExpectedAlert("non_finite_gradient", .critical),
    ],
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
}
