import Telemetry

/// What to try if it is the loss that goes wrong.
extension Setting {
  private var lowerRate: Remedy {
    Remedy(
      action: "lower the learning rate by 3 to 10 times",
      reason: "steps past the edge of stability jump over the minimum"
    )
  }

  /// The loss rises and stays.
  var divergenceRemedies: [Remedy] {
    [
      lowerRate,
      Remedy(
        action: "go back to the checkpoint before the rise",
        reason: "what was learned is not in these weights any more"
      ),
      Remedy(
        action: "clip the global norm at 1.0 (usual: 0.5 to 5.0)",
        reason: "it bounds every update; it is a safety net, not the cure"
      ),
      Remedy(
        action: "look whether the data changed at this step",
        reason: "a new shard with other labels or scales looks the same"
      ),
    ]
  }

  /// The loss swings.
  var oscillationRemedies: [Remedy] {
    [
      lowerRate,
      Remedy(
        action: "decay the learning rate, or lower the momentum",
        reason: "both shorten the step along the steepest direction"
      ),
      Remedy(
        action: "use a larger batch",
        reason: "it helps if the swings come from the batches and not from the step"
      ),
    ]
  }

  /// The loss does not fall.
  ///
  /// `silent` is a tensor that has no gradient; `nil`: all have one.
  func plateauRemedies(isExplained: Bool, silent: String?) -> [Remedy] {
    let others = Remedy(
      action: "follow the alert on the layers first",
      reason: "a loss stands still because gradients do not arrive, not the other way round"
    )
    let data = Remedy(
      action: "overfit one small batch",
      reason: "if that fails, labels, loss function or data order are wrong, not the optimizer"
    )
    let rate = Remedy(
      action: "raise the learning rate by 3 to 10 times",
      reason: "after the data was found to be right: steps may be too small to leave the plateau"
    )
    let path = silent.map { name in
      Remedy(
        action: "find out why no gradient reaches \(name)",
        reason: "what it feeds is detached, dead or not used, and what lies before it can't learn"
      )
    }
    if isExplained { return [others, data] }
    return [path, data, rate].compactMap(\.self)
  }

  /// The gradient norm varies.
  var noiseRemedies: [Remedy] {
    [
      Remedy(
        action: "accumulate gradients to an effective batch of 64 (images) or 128 (sequences)",
        reason: "the noise falls with the square root of the batch"
      ),
      Remedy(
        action: "use group or layer normalization instead of batch normalization",
        reason: "statistics of fewer than 16 samples are noise themselves"
      ),
      lowerRate,
    ]
  }

  /// Some value of a batch is not a number.
  static func badValueRemedy(_ step: UInt64) -> Remedy {
    Remedy(
      action: "look for NaN and infinity in the inputs and targets of step \(step)",
      reason: "one such value is enough, and nothing need have grown before"
    )
  }

  /// Weights are lost at a step.
  static func startAgainRemedy(before step: UInt64) -> Remedy {
    let reason = "weights that took an update that is not finite do not recover"
    guard step > 100 else {
      return Remedy(action: "restart from the beginning, with what follows changed", reason: reason)
    }
    return Remedy(
      action: "roll back about 100 steps before step \(step), and skip the next 200 batches",
      reason: reason
    )
  }
}
