extension Experiment {
  /// The demonstration of vanishing gradients: sigmoids on two moons.
  ///
  /// Deviations from the article: it shuffles within a window of 42 samples, this one shuffles all;
  /// its random numbers are NumPy's and TensorFlow's. The article plots the signed mean gradient,
  /// in which positive and negative elements cancel.
  ///
  /// Measured here: the root mean square of a weight's gradient falls by 0.64 decades a layer
  /// towards the input at step 0, 0.55 at step 50, 0.29 at step 300, 0.08 at the end, and the loss
  /// from 0.70 to 0.30: a slow start that recovers, so a collector should mention it and not warn.
  public static let sigmoidMoons = Experiment(
    identifier: "N1",
    name: "sigmoid-moons",
    title: "Sigmoid network on two moons",
    source: articleOnDebugging,
    sourceClaim: "Gradients vanish: the mean gradient of layer 1 is virtually zero (below 0.006),"
      + " while that of layer 4 fluctuates.",
    mustAlert: [ExpectedAlert("vanishing_gradient", .info)],
    mustNotAlert: [.any(.warning)],
    data: .moons(count: 3000, noise: 0.25, seed: 1234),
    layers: [
      .dense(10, .sigmoid, .randomUniform(-1, 1)),
      .dense(10, .sigmoid, .randomUniform(-1, 1)),
      .dense(5, .sigmoid, .randomUniform(-1, 1)),
      .dense(1, .sigmoid, .randomUniform(-1, 1)),
    ],
    loss: .binaryCrossEntropy,
    updateRule: .rmsprop(learningRate: 0.001, rho: 0.9, epsilon: 1e-7),
    batchSize: 32,
    epochs: 100,
    seed: 1234
  )

  /// The article that the first experiments come from.
  static let articleOnDebugging =
    "Katherine (Yi) Li: Vanishing and Exploding Gradients in Neural Network Models: Debugging,"
    + " Monitoring, and Fixing. MLOps Blog, 2023"
}
