/// How a gradient changes a parameter, with its hyper-parameters; defaults are Keras's.
///
/// `g` is the gradient, `w` the parameter, `t` the number of the update from 1. All operations are
/// element by element, on one parameter at a time: ``Optimizer`` holds the state of a whole model.
public enum UpdateRule: Hashable, Sendable {
  /// Gradient descent.
  ///
  /// ```
  /// g = g + weightDecay · w        m = momentum · m + g        w -= rate · m
  /// ```
  /// This is PyTorch's form. Without decay nothing is added: an infinite parameter stays so.
  case sgd(learningRate: Double = 0.01, momentum: Double = 0, weightDecay: Double = 0)
  /// Divides by a running root mean square.
  ///
  /// ```
  /// v = rho · v + (1 - rho) · g²
  /// w -= rate · g / (√v + epsilon)
  /// ```
  /// This is Keras 2 (`optimizer_v2`), current when the seed article was written, and PyTorch,
  /// whose default epsilon is 10⁻⁸. Keras 3 takes the root of `v + epsilon` instead.
  case rmsprop(learningRate: Double = 0.001, rho: Double = 0.9, epsilon: Double = 1e-7)
  /// Running means of the gradient and of its square, corrected for their start at 0; with decay,
  /// AdamW.
  ///
  /// ```
  /// w -= rate · weightDecay · w
  /// m = beta1 · m + (1 - beta1) · g        v = beta2 · v + (1 - beta2) · g²
  /// w -= rate · √(1 - beta2ᵗ) / (1 - beta1ᵗ) · m / (√v + epsilon)
  /// ```
  /// This is Keras, where epsilon is the "epsilon hat" of Kingma and Ba, "Adam", 2014, before
  /// section 2.1. PyTorch, as their Algorithm 1, has epsilon · √(1 - beta2ᵗ) in its place, and its
  /// default is 10⁻⁸. The decay is decoupled: Loshchilov and Hutter, "Decoupled Weight Decay
  /// Regularization", 2019.
  case adam(
    learningRate: Double = 0.001,
    beta1: Double = 0.9,
    beta2: Double = 0.999,
    epsilon: Double = 1e-7,
    weightDecay: Double = 0
  )

  /// The name for people and collectors.
  public var name: String {
    switch self {
    case .sgd: "sgd"
    case .rmsprop: "rmsprop"
    case .adam(_, _, _, _, let weightDecay): weightDecay == 0 ? "adam" : "adamw"
    }
  }

  /// The factor of an update, before a schedule changes it.
  public var learningRate: Double {
    switch self {
    case .sgd(let learningRate, _, _), .rmsprop(let learningRate, _, _),
      .adam(let learningRate, _, _, _, _):
      learningRate
    }
  }

  /// Returns the same rule with another rate.
  public func withLearningRate(_ rate: Double) -> UpdateRule {
    switch self {
    case .sgd(_, let momentum, let decay):
      .sgd(learningRate: rate, momentum: momentum, weightDecay: decay)
    case .rmsprop(_, let rho, let epsilon): .rmsprop(learningRate: rate, rho: rho, epsilon: epsilon)
    case .adam(_, let beta1, let beta2, let epsilon, let decay):
      .adam(
        learningRate: rate,
        beta1: beta1,
        beta2: beta2,
        epsilon: epsilon,
        weightDecay: decay
      )
    }
  }

  /// The number of running means that it keeps of every parameter.
  var slotCount: Int {
    switch self {
    case .sgd(_, let momentum, _): momentum == 0 ? 0 : 1
    case .rmsprop: 1
    case .adam: 2
    }
  }
}
