import Telemetry

/// A recurrent layer's gradient grows on its way to the first time steps: R20.
struct RNNExplodingThroughTime: Rule {
  static let id = RuleID("rnn_exploding_through_time")
  static let summary = "A recurrent layer's gradient grows by two decades and more through time"
  static let policy = AlertPolicy(.init(hits: 6, window: 8), cleanEvaluations: 20)

  private static let warning = Threshold(
    "warning_decades",
    2,
    in: 0...45,
    "decades from the last time steps to the first; 1.1 a step gives 4.1 over 100 (seed 001)"
  )
  private static let critical = Threshold(
    "critical_decades",
    4,
    in: 0...45,
    "decades at which one time step's gradient is all that is left of the sum"
  )
  static let thresholds = [warning, critical]
  private static let slack = 0.7

  private let tuning: Tuning

  init(_ anatomy: Anatomy, _ tuning: Tuning) { self.tuning = tuning }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    guard !step.isSkipped, step.nonFiniteTensors.isEmpty, !step.report.timeStepNorms.isEmpty
    else { return nil }
    return TimeProfile.all(step).compactMap { profile in
      let rise = profile.decades
      guard rise >= Self.slack * tuning[Self.warning] else { return nil }
      return Finding(
        scope: .layers(profile.layer...profile.layer),
        met: rise >= tuning[Self.critical]
          ? .critical : rise >= tuning[Self.warning] ? .warning : nil,
        held: rise >= Self.slack * tuning[Self.critical] ? .critical : .warning
      )
    }
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let profile = TimeProfile.all(step).first { finding.scope.contains(layer: $0.layer) }
    let rise = profile?.decades ?? 0
    let name = profile.map { step.anatomy.name(ofLayer: $0.layer) } ?? ""
    let horizon = Double(profile?.horizon ?? 1)
    let factor = power(10, rise / max(1, horizon))
    return Diagnosis(
      summary: "the gradient of \(name) grows by \(text(rise)) decades over \(text(horizon)) time "
        + "steps, since step \(first)",
      cause: "each time step multiplies the gradient by about \(text(factor))",
      confidence: rise >= tuning[Self.critical] ? 0.95 : 0.75,
      evidence: Evidence(
        quantity: "decades between the gradient norms at the first and the last time steps",
        observed: rise,
        threshold: tuning[finding.met == .critical ? Self.critical : Self.warning],
        firstStep: step.number,
        lastStep: step.number,
        layers: name.isEmpty ? [] : [name],
        facts: ["factor_per_time_step": text(factor)]
      ),
      remedies: Setting(step, layers: profile.map { $0.layer...$0.layer })
        .explodingRemedies(atStep: step.number)
    )
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {}
}
