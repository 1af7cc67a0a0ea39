import Telemetry

/// What to try if it is the step that goes wrong.
extension Setting {
  /// Clipping changes every gradient.
  var clippingRemedies: [Remedy] {
    [
      Remedy(
        action: "look at initialization, input scale and architecture first",
        reason: "something makes every gradient larger than the threshold; clipping hides it"
      ),
      Remedy(
        action: "raise the threshold to a little above the usual norm if the loss is healthy",
        reason: "steps then follow the gradient again, and only outliers are cut"
      ),
      Remedy(
        action: "lower the learning rate when the threshold is raised",
        reason: "the clipper has been setting the step size"
      ),
    ]
  }

  /// Updates rewrite the weights.
  func largeUpdateRemedies(ratio: Double) -> [Remedy] {
    let factor = max(3, ratio / 0.003)
    let scale = Remedy(
      action: "scale inputs and targets to unit variance",
      reason: "the gradient of a squared error grows with the targets' scale"
    )
    let warmUp = Remedy(
      action: "warm the learning rate up over 5 to 10 % of the steps",
      reason: "the first gradients and Adam's first steps are the largest"
    )
    // Few rates are so far off: more often something else is too large, too.
    guard factor <= Self.mostRateFactor else {
      let rate = Remedy(
        action: "lower the learning rate \(text(Self.mostRateFactor)) times, or more",
        reason: "healthy updates are about a thousandth of the weights; where that takes more, "
          + "inputs, targets or the first weights are too large"
      )
      return [rate, scale, warmUp]
    }
    let rate = Remedy(
      action: "lower the learning rate about \(text(factor)) times",
      reason: "healthy updates are about a thousandth of the weights"
    )
    return [rate, warmUp, scale]
  }

  private static let mostRateFactor = 100.0

  /// Updates do not move the weights.
  func smallUpdateRemedies(isClipped: Bool) -> [Remedy] {
    let clip = Remedy(
      action: "raise the clipping threshold to a little above the usual norm",
      reason: "it takes away nearly all of the gradient"
    )
    let rate = Remedy(
      action: "raise the learning rate until updates are about a thousandth of the weights",
      reason: "at this rate nothing changes within the run"
    )
    let scale = Remedy(
      action: "check what scales the loss: a division by counts, a wrong loss scale",
      reason: "a small factor on the loss is a small factor on each step"
    )
    return isClipped ? [clip, rate] : [rate, scale]
  }

  /// Weights have a gradient and stay.
  static let unchangedRemedies = [
    Remedy(
      action: "pass the layer's parameters to the optimizer",
      reason: "layers that are added or replaced after the optimizer was made are not in it"
    ),
    Remedy(
      action: "check its parameter group's learning rate, and that nothing restores the weights",
      reason: "a rate of 0 or a later copy undoes each step"
    ),
  ]

  /// Weights have a gradient of 0.
  static let unusedRemedies = [
    Remedy(
      action: "if they are meant to be frozen, set requires_grad to false",
      reason: "it saves their gradient and tells everybody"
    ),
    Remedy(
      action: "else look whether the forward pass uses them, and where the path is cut",
      reason: "a detach, a mask or dead units between them and the loss give exactly 0"
    ),
  ]

  /// A weight changed from outside.
  static let jumpRemedies = [
    Remedy(
      action: "go back to a checkpoint from before this step",
      reason: "the loss may look healthy while the weight is lost"
    ),
    Remedy(
      action: "run the machine's memory test, and note the device of this rank",
      reason: "a flipped exponent bit changes a weight by orders of magnitude; it comes back"
    ),
    Remedy(
      action: "look for code that writes weights: loading, averaging, re-initializing",
      reason: "a checkpoint of another layout loads without an error where names agree"
    ),
  ]

  /// A few elements dominate.
  var tailRemedies: [Remedy] {
    [
      Remedy(
        action: "look at the samples of the batch that weigh most",
        reason: "outliers and wrong labels give such gradients"
      ),
      Remedy(
        action: "clip the global norm a little above its usual value",
        reason: "single elements then can't set the step"
      ),
    ]
  }

  /// float16 is too small.
  static let underflowRemedies = [
    Remedy(
      action: "use dynamic loss scaling (start at 65,536), or bfloat16",
      reason: "a larger loss lifts all gradients into float16's range"
    ),
    Remedy(
      action: "keep the last layers and the loss in float32",
      reason: "small factors there shrink everything below"
    ),
  ]
}
