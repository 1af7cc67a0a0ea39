import Telemetry

/// What to try if units, or the signal on its way to them, are wrong from the start.
extension Setting {
  /// Units of a ReLU layer are zero for every sample.
  func deadRemedies(fromStart: Bool) -> [Remedy] {
    let rate = Remedy(
      action: "lower the learning rate",
      reason: "a large step pushes a unit's bias so far down that no input reaches it again"
    )
    let leaky = Remedy(
      action: "replace ReLU by LeakyReLU(0.01) or GELU",
      reason: "their slope below zero lets a dead unit come back"
    )
    let start = Remedy(
      action: "initialize weights with Kaiming (He), and biases with 0",
      reason: "a negative bias larger than the sums of inputs switches a unit off for good"
    )
    return fromStart ? [start, leaky, rate] : [rate, leaky, start]
  }

  /// Outputs of a sigmoid or tanh layer lie at its bounds.
  var saturatedRemedies: [Remedy] {
    let start = Remedy(
      action: "initialize weights with \(scheme)",
      reason: "it keeps the sums of inputs where the activation is steep"
    )
    let scale = Remedy(
      action: "scale inputs and targets to unit variance",
      reason: "large ones drive the sums out to the bounds"
    )
    let norm = Remedy(
      action: "add normalization before the activation",
      reason: "it brings the sums back to where the activation is steep"
    )
    let other = Remedy(
      action: "replace \(activation.isEmpty ? "the activation" : activation) by ReLU or GELU",
      reason: "they have no upper bound at which the slope is 0"
    )
    return isInitializedLarge ? [start, scale, norm, other] : [scale, start, norm, other]
  }

  /// The first weights have the wrong scale.
  var initializationRemedies: [Remedy] {
    let off = initialScale.map { "; their mean square was \(text($0)) times that" } ?? ""
    return [
      Remedy(
        action: "initialize weights with \(scheme)",
        reason: "it keeps the signal's variance from layer to layer" + off
      ),
      Remedy(
        action: "scale inputs and targets to unit variance",
        reason: "the recommended scales assume it"
      ),
      Remedy(
        action: "add normalization layers",
        reason: "they undo the scale of the weights before them"
      ),
    ]
  }

  /// Inputs are a thousand times too large.
  static let unscaledRemedies = [
    Remedy(
      action: "scale inputs to mean 0 and variance 1, column by column",
      reason: "recommended weights assume it, and a column of 1e5 outweighs all others"
    ),
    Remedy(
      action:
        "take times as differences, counts as logarithms, and identifiers through an embedding",
      reason: "their raw size says nothing, and one variance does not fit their range"
    ),
    Remedy(
      action: "normalize before the first layer",
      reason: "it does the same with the data's own statistics, batch by batch"
    ),
  ]

  /// A recurrent gradient is lost on its way back.
  static let timeVanishingRemedies = [
    Remedy(
      action: "use LSTM or GRU cells, with the forget gate's bias at 1",
      reason: "their gates carry the gradient through time without multiplying it"
    ),
    Remedy(
      action: "initialize the recurrent matrix orthogonally",
      reason: "its singular values are then 1, so that products neither shrink nor grow"
    ),
    Remedy(
      action: "cut back-propagation through time at 100 to 200 steps, or shorten the sequences",
      reason: "what lies further back gets no gradient anyway"
    ),
  ]
}
