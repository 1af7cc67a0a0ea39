import Telemetry

/// What to try, by problem and by what is known of the layers; fundamentals first, one change at a
/// time.
extension Setting {
  /// Gradients shrink on their way to the first layers.
  var vanishingRemedies: [Remedy] {
    let activation = Remedy(
      action: "replace \(self.activation.isEmpty ? "saturating activations" : self.activation) by "
        + "ReLU, LeakyReLU(0.01) or GELU",
      reason:
        "a sigmoid's slope is at most 0.25 and a saturated tanh's near 0; layers multiply them"
    )
    let skips = Remedy(
      action: "add a residual connection around every 2 or 3 layers",
      reason: "its identity path carries the gradient past the layers that shrink it"
    )
    var remedies: [Remedy] = []
    if isTransformer {
      remedies = [
        Remedy(
          action: "use pre-norm blocks, and keep dropout on the residual path below 0.2",
          reason: "normalization after the sum rescales the identity path in every block"
        ),
        Remedy(
          action: "scale the weights that end in the residual stream by 1/sqrt(2 x blocks)",
          reason: "the stream's variance then does not grow with depth"
        ),
        Remedy(
          action: "warm the learning rate up over 5 to 10 % of the steps, to a lower peak",
          reason: "large first steps drive attention and MLP into flat regions"
        ),
      ]
    } else if isSaturating {
      remedies = [activation, initialization, normalization, skips]
    } else if isConvolutional {
      remedies = [normalization, initialization, skips]
    } else {
      remedies = [initialization, normalization, skips]
      if !isRectified { remedies.append(activation) }
      remedies.append(
        Remedy(action: "use fewer layers", reason: "each one multiplies the gradient once more")
      )
    }
    if isInitializedSmall { remedies.moveToFront(initialization) }
    if isResidual == true { remedies.removeAll { $0 == skips } }
    if isNormalized == true { remedies.removeAll { $0 == normalization } }
    return remedies
  }

  /// Gradients are small everywhere.
  var smallRemedies: [Remedy] {
    let scaling = Remedy(
      action: "check what scales the loss: a division by batch or token counts, a wrong loss scale",
      reason: "every gradient is small by the same factor, as if the loss were multiplied by it"
    )
    let rate = Remedy(
      action: "raise the learning rate, after the others are ruled out",
      reason: "with a healthy profile over the layers the steps are just too small"
    )
    let last =
      isNormalized == true
      ? Remedy(
        action: "use loss scaling if gradients are in float16",
        reason: "float16 has nothing below 6e-8"
      ) : normalization
    // Where the first weights are known to be sound, they are not the cause.
    let isSound = initialScale != nil && !isInitializedSmall
    return isSound ? [scaling, rate, last] : [initialization, scaling, rate, last]
  }

  /// Gradients grow, from step to step or from layer to layer.
  func explodingRemedies(atStep step: UInt64) -> [Remedy] {
    let bound = clippingThreshold ?? .infinity
    let clip = Remedy(
      action: bound.isFinite
        ? "clip the global norm below \(text(bound)), where it is clipped now"
        : "clip the global norm at 1.0 (usual: 0.5 to 5.0)",
      reason: "it bounds every update and keeps its direction; it is a safety net, not the cure"
    )
    let rate = Remedy(
      action: "lower the learning rate by 5 to 10 times",
      reason: "steps past the edge of stability make each gradient larger than the one before"
    )
    let inputs = Remedy(
      action: "scale inputs and targets to unit variance",
      reason: "the gradient of a squared error grows with the targets' scale"
    )
    if isRecurrent {
      let gates = Remedy(
        action: "use LSTM or GRU cells",
        reason: "their gates carry the gradient through time without multiplying it"
      )
      let cut = Remedy(
        action: "cut back-propagation through time at 100 to 200 steps",
        reason: "every time step multiplies the gradient by the same matrix"
      )
      return isGated ? [clip, rate, cut, initialization] : [gates, clip, cut, initialization]
    }
    if isTransformer {
      return [
        Remedy(
          action: "lower the peak learning rate 10 times and warm it up over 2000 steps",
          reason: "Adam's first steps are full-sized before its statistics have settled"
        ),
        clip,
        Remedy(action: "use pre-norm blocks", reason: "they bound the residual stream's gradient"),
      ]
    }
    if isInitializedLarge || (step <= 10 && initialScale == nil) {
      return [initialization, inputs, clip, rate]
    }
    var remedies = [clip, rate, initialization, inputs]
    if isNormalized != true { remedies.append(normalization) }
    return remedies
  }

  /// A single step was far larger than its neighbours.
  var spikeRemedies: [Remedy] {
    [
      Remedy(
        action: "look at the batch of this step: labels, empty or very long samples, scale",
        reason: "a single wild step comes from its data more often than from the model"
      ),
      Remedy(
        action: "clip the global norm a little above its usual value",
        reason: "the next such batch then moves the weights no further than others"
      ),
      Remedy(
        action: "if spikes repeat, lower the learning rate or Adam's beta2 (0.95)",
        reason: "old second moments make Adam overshoot when gradients grow suddenly"
      ),
      Remedy(
        action:
          "if the loss does not come back, restart about 100 steps earlier and skip 200 batches",
        reason: "this is how PaLM's spikes were passed"
      ),
    ]
  }

  /// Xavier or Kaiming, with the factor by which the first weights were off, if that is known.
  private var initialization: Remedy {
    var reason = "it keeps the gradient's variance from layer to layer"
    if let initialScale, isInitializedLarge || isInitializedSmall {
      reason +=
        "; the first weights' mean square was \(text(initialScale)) times the recommended one"
    }
    return Remedy(action: "initialize weights with \(scheme)", reason: reason)
  }

  private var normalization: Remedy {
    isRecurrent || isTransformer
      ? Remedy(
        action: "add layer normalization",
        reason: "it keeps activations in range whatever the batch size and sequence length"
      )
      : Remedy(
        action:
          "add batch normalization before the activation (layer or group normalization if the "
          + "batch is below 16)",
        reason: "it keeps activations where their slope is not near 0"
      )
  }
}

extension [Remedy] {
  /// Puts `remedy` first, wherever it was.
  fileprivate mutating func moveToFront(_ remedy: Remedy) {
    removeAll { $0 == remedy }
    insert(remedy, at: 0)
  }
}
