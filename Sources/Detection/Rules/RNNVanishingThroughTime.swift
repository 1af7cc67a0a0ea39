import Telemetry

/// A recurrent layer's gradient is lost on its way to the first time steps: R20.
///
/// The weights' own gradient looks healthy, for the last time steps feed it. Gated cells forget by
/// design where the task allows it, so the loss must still be where it began.
struct RNNVanishingThroughTime: Rule {
  static let id = RuleID("rnn_vanishing_through_time")
  static let summary = "A recurrent layer's gradient shrinks by three decades and more through time"
  static let policy = AlertPolicy(.init(hits: 20, window: 25), cleanEvaluations: 20)

  private static let warning = Threshold(
    "warning_decades",
    3,
    in: 0...45,
    "decades from the last time steps to the first; 0.9 a step loses 4.6 over 100 (seed 001)"
  )
  private static let critical = Threshold(
    "critical_decades",
    6,
    in: 0...45,
    "decades at which float32 sums of the gradient no longer hold the first time steps"
  )
  private static let learned = Threshold(
    "learned_progress",
    0.9,
    in: 0...1,
    "smoothed loss / first losses below which the net learns without the first time steps"
  )
  static let thresholds = [warning, critical, learned]
  private static let slack = 0.7

  private let tuning: Tuning

  init(_ anatomy: Anatomy, _ tuning: Tuning) { self.tuning = tuning }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    guard !step.isSkipped, step.nonFiniteTensors.isEmpty, !step.report.timeStepNorms.isEmpty
    else { return nil }
    let hasLearned = step.history.loss.progress.map { $0 < tuning[Self.learned] } ?? false
    return TimeProfile.all(step).compactMap { profile in
      let drop = -profile.decades
      guard drop >= Self.slack * tuning[Self.warning] else { return nil }
      let met: Severity? =
        drop >= tuning[Self.critical] ? .critical : drop >= tuning[Self.warning] ? .warning : nil
      return Finding(
        scope: .layers(profile.layer...profile.layer),
        met: hasLearned ? met.map { _ in .info } : met,
        held: drop >= Self.slack * tuning[Self.critical] ? .critical : .warning
      )
    }
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let profile = TimeProfile.all(step).first { finding.scope.contains(layer: $0.layer) }
    let drop = -(profile?.decades ?? 0)
    let name = profile.map { step.anatomy.name(ofLayer: $0.layer) } ?? ""
    let horizon = Double(profile?.horizon ?? 1)
    let factor = power(10, -drop / max(1, horizon))
    return Diagnosis(
      summary:
        "the gradient of \(name) shrinks by \(text(drop)) decades over \(text(horizon)) time "
        + "steps, since step \(first)",
      cause: "each time step multiplies the gradient by about \(text(factor))",
      confidence: drop >= tuning[Self.critical] ? 0.95 : 0.7,
      evidence: Evidence(
        quantity: "decades between the gradient norms at the last and the first time steps",
        observed: drop,
        threshold: tuning[finding.met == .critical ? Self.critical : Self.warning],
        firstStep: step.number,
        lastStep: step.number,
        layers: name.isEmpty ? [] : [name],
        facts: ["factor_per_time_step": text(factor)]
      ),
      remedies: Setting.timeVanishingRemedies
    )
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {}
}
