/// Something that goes wrong during a run, put there on purpose.
public enum Fault: Hashable, Sendable {
  /// Inputs are multiplied by a factor in these steps: a batch that was not scaled, or was corrupted.
  case scaledInputs(Double, steps: Range<Int>)
  /// Targets are multiplied by a factor in these steps.
  case scaledTargets(Double, steps: Range<Int>)
  /// Gradients are multiplied by a factor in these steps, before anything else sees them.
  case scaledGradients(Double, steps: Range<Int>)
  /// Every so many-th element of each gradient is multiplied by a factor in these steps.
  case scaledElements(Double, every: Int, steps: Range<Int>)
  /// One rank's inputs hold a NaN in these steps.
  case nanInput(rank: Int, steps: Range<Int>)

  /// Throws ``TrainingError`` if the fault would make a token or a class of what is none.
  func check(data: DataPlan, loss: LossFunction) throws(TrainingError) {
    switch self {
    case .scaledInputs, .nanInput:
      if case .tokens = data {
        throw .setting("fault", expected: "inputs that are no tokens", found: data.name)
      }
    case .scaledTargets:
      if loss == .crossEntropy {
        throw .setting("fault", expected: "targets that are no classes", found: loss.rawValue)
      }
    case .scaledElements(_, let every, _):
      guard every > 0 else {
        throw .setting("fault", expected: "every element or fewer", found: "\(every)")
      }
    case .scaledGradients: break
    }
  }
}
