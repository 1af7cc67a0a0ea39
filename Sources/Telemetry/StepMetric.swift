/// A value of the step as a whole that is read as a series.
public enum StepMetric: UInt8, Sendable, CaseIterable {
  /// The losses, a series each.
  case loss = 0
  /// The learning rate.
  case learningRate = 1
  /// The global gradient norm.
  case globalNorm = 2
  /// The loss scale of mixed-precision training.
  case lossScale = 3

  /// Calls `body` with the values that a step has, each with the name of its series: a loss's own, else the metric's.
  public func forEachValue(of scalars: StepScalars, _ body: (_ name: String, Double) -> Void) {
    switch self {
    case .loss: for loss in scalars.losses { body(loss.name, loss.value) }
    case .learningRate: if let value = scalars.learningRate { body("learning_rate", value) }
    case .globalNorm: if let value = scalars.globalNorm { body("global_norm", value) }
    case .lossScale: if let value = scalars.lossScale { body("loss_scale", value) }
    }
  }
}
