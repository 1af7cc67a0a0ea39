package import Telemetry

/// That one rule's fault can bring about another's: how, when and where.
package struct CausalRelation: Sendable {
  /// How long after the cause the effect may begin.
  enum Reach: Sendable {
    /// So many steps after the cause's beginning: it is an event, or a fact of the start.
    case fromStart(UInt64)
    /// As long as the cause lasts, and so many steps after its end.
    case whileLasts(UInt64)
  }

  /// Where the effect shows.
  enum Place: Sendable {
    /// Anywhere.
    case anywhere
    /// In the layers of the cause, or right beside them.
    case near
    /// In the layers of the cause or nearer to the input: gradients flow that way.
    case towardInput
  }

  /// The rule that sees the cause.
  package let cause: RuleID
  /// The rule that sees the effect.
  package let effect: RuleID
  /// How sure it is, from 0 to 1, that the one explains the other where both are seen in this order.
  ///
  /// Reasoned, not measured. A direct effect has more than one that takes links in between, so that
  /// a chain is told link by link.
  package let strength: Double
  /// When.
  let reach: Reach
  /// Where.
  let place: Place
  /// How the cause brings about the effect, as a clause.
  package let reason: String

  /// A claim of less than this is none.
  static let leastConfidence = 0.3

  /// Whether, and how surely, one fault brought about the other.
  ///
  /// - Parameters:
  ///   - cause: A fault of the rule ``cause``.
  ///   - effect: A fault of the rule ``effect``.
  ///   - reverse: The relation the other way round, if there is one: then what came first decides.
  /// - Returns: The claim; `nil` if time or place speak against it.
  func claim(
    _ cause: AlertGroup,
    _ effect: AlertGroup,
    reverse: CausalRelation?
  )
    -> CausalClaim?
  {
    guard isNear(cause, effect), let closeness = closeness(cause, effect, reverse: reverse) else {
      return nil
    }
    var confidence = strength * closeness * (0.5 + 0.5 * min(max(cause.lead.confidence, 0), 1))
    // What is only worth knowing seldom brings about what somebody should look at.
    if cause.lead.severity == .info, effect.lead.severity > .info { confidence *= 0.8 }
    if cause.producers.isDisjoint(with: effect.producers) { confidence *= 0.8 }
    guard confidence >= Self.leastConfidence else { return nil }
    let delay = Int64(clamping: effect.firstStep) - Int64(clamping: cause.firstStep)
    return CausalClaim(
      reason: "\(reason); \(timing(delay))\(placing(cause, effect))",
      confidence: confidence,
      delay: delay
    )
  }

  private func isNear(_ cause: AlertGroup, _ effect: AlertGroup) -> Bool {
    guard let causes = cause.layers, let effects = effect.layers else { return true }
    return switch place {
    case .anywhere: true
    case .near:
      // Activations are layers of their own, beside the one whose weights they follow.
      effects.lowerBound <= causes.upperBound &+ 1 && causes.lowerBound <= effects.upperBound &+ 1
    case .towardInput: effects.lowerBound <= causes.upperBound &+ 1
    }
  }

  /// From 1 where the effect began while the cause was there to 0.5 at the end of its reach; `nil`
  /// outside.
  private func closeness(
    _ cause: AlertGroup,
    _ effect: AlertGroup,
    reverse: CausalRelation?
  ) -> Double? {
    if effect.firstStep <= cause.firstStep {
      let lead = cause.firstStep - effect.firstStep
      if let reverse {
        guard lead == 0, strength >= reverse.strength else { return nil }
        return 1
      }
      return lead <= Self.lateness(of: self.cause) ? 1 : nil
    }
    let (start, reach) =
      switch self.reach {
      case .fromStart(let steps): (cause.firstStep, steps)
      case .whileLasts(let steps): (max(cause.firstStep, cause.lastStep), steps)
      }
    guard effect.firstStep > start else { return 1 }
    let after = effect.firstStep - start
    return after <= reach ? 1 - 0.5 * Double(after) / Double(max(1, reach)) : nil
  }

  private func timing(_ delay: Int64) -> String {
    switch delay {
    case 0: "both began at the same step"
    case 1: "it began one step later"
    case ..<0:
      "it was noticed \(-delay) steps earlier, within what the cause's rule takes to notice"
    default: "it began \(delay) steps later"
    }
  }

  private func placing(_ cause: AlertGroup, _ effect: AlertGroup) -> String {
    guard let causes = cause.layers, let effects = effect.layers else { return "" }
    return causes.overlaps(effects) ? ", in the same layers" : ""
  }

  /// By how many steps a rule may date the beginning of a fault too late.
  ///
  /// About the window over which it has to smooth or count; 0 for those that see the step itself.
  private static func lateness(of rule: RuleID) -> UInt64 {
    switch rule.rawValue {
    case "non_finite_gradient", "non_finite_loss", "weight_jump", "gradient_spike", "loss_spike": 0
    case "rank_divergence": 5
    case "poor_initialization": 10
    case "exploding_gradient", "vanishing_gradient", "update_ratio_too_high",
      "update_ratio_too_low":
      20
    case "unchanged_weights", "loss_divergence": 50
    case "clipping_every_step": 200
    default: 25
    }
  }
}
