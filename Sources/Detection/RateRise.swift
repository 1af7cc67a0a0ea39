import Telemetry

/// That the learning rate was raised at once, by more than a warm-up does.
struct RateRise: Sendable {
  /// The first step with the new rate.
  var step: UInt64
  /// The rate before.
  var from: Double
  /// The new one.
  var to: Double

  /// What such a rise brings about, as far as it begins soon after.
  private static let consequences: Set<RuleID> = [
    LossSpike.id, LossDivergence.id, LossOscillation.id, LossPlateau.id, GradientSpike.id,
    ExplodingGradient.id, NonFiniteGradient.id, NonFiniteLoss.id, UpdateRatioTooHigh.id,
    UniformlySmallGradient.id, VanishingGradient.id, DeadReLU.id, SaturatedActivation.id,
    WeightJump.id,
  ]
  /// So many steps later it is something else.
  private static let reach: UInt64 = 50

  /// Whether a rule's fault that began at a step may come of it.
  func explains(_ rule: RuleID, since first: UInt64) -> Bool {
    step <= first && first - step <= Self.reach && Self.consequences.contains(rule)
  }

  /// Visits the stored values.
  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&step)
    try coder.code(&from)
    try coder.code(&to)
  }
}

extension Diagnosis {
  /// The same of a fault that began soon after the learning rate was raised: that comes first, and what would raise it further goes.
  func following(_ rise: RateRise, since first: UInt64) -> Diagnosis {
    var diagnosis = self
    let distance = first - rise.step
    let when = distance == 0 ? "right there" : "\(distance) step\(distance == 1 ? "" : "s") later"
    diagnosis.cause =
      "the learning rate rose from \(text(rise.from)) to \(text(rise.to)) at step \(rise.step), and this "
      + "began \(when); " + cause
    diagnosis.remedies.removeAll { $0.action.hasPrefix("raise the learning rate") }
    diagnosis.remedies.insert(
      Remedy(
        action: "set the learning rate back to \(text(rise.from))",
        reason: "it was raised \(text(rise.to / rise.from)) times at step \(rise.step)"
      ),
      at: 0
    )
    diagnosis.evidence.facts["learning_rate_before"] = text(rise.from)
    diagnosis.evidence.facts["learning_rate_raised_at"] = "\(rise.step)"
    return diagnosis
  }
}
