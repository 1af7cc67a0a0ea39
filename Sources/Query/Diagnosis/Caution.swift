import Telemetry

/// What must not be done about a fault, though it suggests itself: the last column of the remediation
/// table that the rules' remedies follow.
struct Caution {
  /// The rules at whose fault it must not be done.
  let rules: Set<String>
  /// What remedies it takes away; `nil` if it only warns.
  let topic: RemedyTopic?
  /// What not to do, and why.
  let advice: Remedy

  /// All of them, in the order in which they are told.
  static let all = [
    Caution(
      rules: ["vanishing_gradient", "rnn_vanishing_through_time"],
      topic: .lowerRate,
      advice: Remedy(
        action: "do not lower the learning rate",
        reason: "it makes the small updates of the first layers smaller still"
      )
    ),
    Caution(
      rules: ["uniformly_small_gradient", "update_ratio_too_low", "gradient_underflow"],
      topic: .lowerRate,
      advice: Remedy(
        action: "do not lower the learning rate",
        reason: "updates are too small already"
      )
    ),
    Caution(
      rules: ["clipping_every_step"],
      topic: .clip,
      advice: Remedy(
        action: "do not tighten the clipping",
        reason: "it cuts every step as it is; a smaller threshold is a smaller learning rate"
      )
    ),
    Caution(
      rules: ["poor_initialization"],
      topic: nil,
      advice: Remedy(
        action: "do not clip instead of initializing anew",
        reason: "clipping alone keeps the run finite and leaves units that never become active"
      )
    ),
    Caution(
      rules: ["gradient_noise"],
      topic: nil,
      advice: Remedy(
        action: "do not expect a larger batch to cure an explosion",
        reason: "averaging narrows the noise of a gradient, not its mean"
      )
    ),
  ]
}
