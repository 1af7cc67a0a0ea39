/// The articles that the experiments come from.
enum Source {
  /// Eight strategies, with numbers for clipping schedules, warm-up, normalization and depth.
  static let strategies =
    "Top 8 Strategies for Debugging Neural Network Training When Gradients Explode or Vanish. BestLifePulse"
  /// A chapter on the chain rule over many layers, with PyTorch.
  static let chapter =
    "Vanishing and Exploding Gradients, a chapter on training deep networks with PyTorch"
  /// Five fixes, one change at a time.
  static let fixes =
    "Debugging Gradient Vanishing in Deep Networks Without Rewriting Your Architecture, 2026"
  /// Two Keras networks, followed with a tracker: moons and a regression.
  static let tracking =
    "Katherine (Yi) Li: Vanishing and Exploding Gradients in Neural Network Models: Debugging,"
    + " Monitoring, and Fixing. MLOps Blog, 2023"
  /// What no article has, and a detector must not fall for.
  static let ours = "Gradwatch"
}
