import Telemetry

/// The loss is NaN or infinite: L1.
///
/// Every known rule set calls this a fault at once; there is no threshold. On a step that the
/// optimizer skipped it is the business of the loss scaler, and info.
struct NonFiniteLoss: Rule {
  static let id = RuleID("non_finite_loss")
  static let summary = "The loss is NaN or infinite"
  static let policy = AlertPolicy(.none, cleanEvaluations: 50)

  private var last = 0.0

  init(_ anatomy: Anatomy, _ tuning: Tuning) {}

  mutating func observe(_ step: StepContext) -> [Finding]? {
    guard let loss = step.loss else { return nil }
    guard !loss.isFinite else { return [] }
    last = loss
    let severity: Severity = step.isSkipped ? .info : .critical
    return [Finding(scope: .run, met: severity, held: severity)]
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let before = step.history.recentLosses.points.last { $0.value.isFinite }
    var cause =
      "the loss overflowed, or an operation without a finite result (log 0, 0/0) entered it"
    if !step.nonFiniteTensors.isEmpty {
      cause = "the gradients are not finite either; the first of the two to turn is the origin"
    }
    if let before, before.value > 1e6 * abs(step.history.loss.initial) {
      cause = "the loss grew without bound before it overflowed: the updates diverge"
    }
    let growth = Remedy(
      action: "look at the learning rate, the dtype and the gradient norms before this step",
      reason: "most NaN losses are overflows that grew over a few steps"
    )
    let value = Setting.badValueRemedy(step.number)
    return Diagnosis(
      summary: "the loss is \(text(last)) at step \(step.number)"
        + (before.map { "; it was \(text($0.value)) at step \($0.step)" } ?? " from the start"),
      cause: cause,
      confidence: 1,
      evidence: Evidence(
        quantity: "loss",
        observed: last,
        baseline: before?.value,
        firstStep: step.number,
        lastStep: step.number,
        recent: step.history.recentLosses.points
      ),
      remedies: (hasGrown(step) ? [growth, value] : [value, growth]) + [
        Remedy(
          action: "check operations without a finite result: log, sqrt and division near 0",
          reason: "one such element makes the whole mean NaN"
        ),
        Setting.startAgainRemedy(before: step.number),
      ]
    )
  }

  /// Whether the loss, or the gradient, was larger before than it used to be.
  private func hasGrown(_ step: StepContext) -> Bool {
    [step.history.recentLosses, step.history.recentNorms].contains { recent in
      let values = recent.points.map(\.value).filter(\.isFinite)
      guard let last = values.last else { return false }
      return abs(last) > 3 * abs(values.sorted()[values.count / 2])
    }
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&last)
  }
}
