import Telemetry

/// A step, and when the collector heard of it.
struct Moment: Sendable {
  var step: UInt64
  var time: WallTime
}

/// One condition at one place: first a suspicion, then an alert with its life.
///
/// ```
/// suspicion ──half───▶ pending ──enough──▶ firing ──clean──▶ resolved ──enough──▶ firing …
///     └────────enough─────────────────────────▲  └──a person──▶ acknowledged ──clean──▲
/// ```
struct Episode: Sendable {
  /// Where the condition is now; may drift while it overlaps.
  private(set) var scope: AlertScope
  /// For each severity, at which evaluations its bound was passed.
  private var hits = SeverityHits()
  /// The first step of the suspicion.
  private(set) var start: Moment
  /// The alert, once there is one.
  private(set) var alert: Alert?
  /// Clean evaluations in a row.
  private var clean: UInt64 = 0
  /// The steps at which the alert returned, the last few.
  private var returns: [UInt64] = []
  /// Whether the producer went back before the alert's first step.
  private(set) var isRewound = false

  /// Starts a suspicion.
  init(scope: AlertScope, start: Moment) {
    self.scope = scope
    self.start = start
  }

  /// Takes over an alert from the store.
  init(adopting alert: Alert) {
    scope = alert.scope
    start = Moment(step: alert.firstStep, time: alert.startedAt)
    self.alert = alert
  }

  /// Whether the alert is pending, firing or acknowledged.
  var isOpen: Bool { alert?.state.isOpen ?? false }

  /// Whether there is neither an alert nor a hit within the longest window.
  func isForgotten(_ policy: AlertPolicy) -> Bool {
    alert == nil && hits.info.count(inLast: policy.longestWindow) == 0
  }

  /// Whether the condition is another sight of this one.
  func overlaps(_ other: AlertScope) -> Bool {
    switch (scope, other) {
    case (.run, _), (_, .run): true
    case (.layers(let mine), .layers(let theirs)): mine.overlaps(theirs)
    case (.tensor(let mine), .tensor(let theirs)): mine == theirs
    case (.layers, .tensor), (.tensor, .layers): false
    }
  }

  /// Takes the next evaluation.
  ///
  /// - Parameters:
  ///   - finding: What the rule found here; `nil` if nothing.
  ///   - moment: The step, and when it was received.
  ///   - policy: The rule's debounce.
  ///   - identity: Whose alert it is.
  ///   - diagnose: Says what a finding that was first seen at a step means.
  /// - Returns: The change, if the alert changed.
  mutating func advance(
    _ finding: Finding?,
    at moment: Moment,
    policy: AlertPolicy,
    identity: AlertMachine.Identity,
    diagnose: (Finding, UInt64) -> Diagnosis
  ) -> AlertTransition? {
    hits.record(finding?.met)
    if let finding, finding.met != nil { touch(finding, at: moment, diagnose) }
    let due = severityDue(finding, policy: policy)
    switch alert?.state {
    case nil: return open(finding, due: due, at: moment, policy, identity, diagnose)
    case .pending:
      if let due, let finding { return fire(finding, due, from: .pending, at: moment, diagnose) }
      return hits.info.count(inLast: policy.longestWindow) == 0 ? resolve(at: moment) : nil
    case .firing, .acknowledged:
      if let due, let finding, let severity = alert?.severity, due > severity {
        return escalate(finding, to: due, at: moment, diagnose)
      }
      return settle(finding, at: moment, policy: policy)
    case .resolved:
      guard let due, let finding, let severity = alert?.severity, due >= severity else {
        return nil
      }
      return reopen(finding, due, at: moment, diagnose)
    }
  }

  /// Follows the condition: it was seen at this step, perhaps at more or fewer layers than before.
  private mutating func touch(
    _ finding: Finding,
    at moment: Moment,
    _ diagnose: (Finding, UInt64) -> Diagnosis
  ) {
    let before = scope
    scope = finding.scope
    guard isOpen else { return }
    alert?.evidence.lastStep = moment.step
    if case .layers = before, case .layers = scope, before != scope { describe(finding, diagnose) }
  }

  /// Says again what is the case; when it began stays as it was.
  private mutating func describe(_ finding: Finding, _ diagnose: (Finding, UInt64) -> Diagnosis) {
    guard let evidence = alert?.evidence else { return }
    let diagnosis = diagnose(finding, start.step)
    alert?.summary = diagnosis.summary
    alert?.cause = diagnosis.cause
    alert?.confidence = diagnosis.confidence
    alert?.remedies = diagnosis.remedies
    alert?.evidence = diagnosis.evidence
    alert?.evidence.firstStep = evidence.firstStep
    alert?.evidence.lastStep = evidence.lastStep
  }

  /// The highest severity that has enough hits, at an evaluation that is itself a hit.
  private func severityDue(_ finding: Finding?, policy: AlertPolicy) -> Severity? {
    guard let finding, let met = finding.met else { return nil }
    if finding.isCertain { return met }
    return Severity.allCases.last { severity in
      let debounce = policy[severity]
      return severity <= met
        && hits[severity].count(inLast: debounce.window) >= debounce.hits
    }
  }

  private mutating func open(
    _ finding: Finding?,
    due: Severity?,
    at moment: Moment,
    _ policy: AlertPolicy,
    _ identity: AlertMachine.Identity,
    _ diagnose: (Finding, UInt64) -> Diagnosis
  ) -> AlertTransition? {
    guard let finding, let met = finding.met else { return nil }
    // A few hits are blips of a healthy run; half of what an alert needs is worth a row.
    let isPending = hits.info.count(inLast: policy.longestWindow) >= max(2, policy.info.hits / 2)
    guard due != nil || isPending else { return nil }
    let diagnosis = diagnose(finding, start.step)
    var alert = Alert(
      run: identity.run,
      producer: identity.producer,
      rule: identity.rule,
      severity: due ?? met,
      scope: finding.scope,
      summary: diagnosis.summary,
      cause: diagnosis.cause,
      confidence: diagnosis.confidence,
      evidence: diagnosis.evidence,
      remedies: diagnosis.remedies,
      firstStep: start.step,
      startedAt: start.time
    )
    alert.evidence.firstStep = start.step
    alert.evidence.lastStep = moment.step
    if due != nil {
      alert.state = .firing
      alert.firedStep = moment.step
      alert.firedAt = moment.time
    }
    self.alert = alert
    return transition(from: nil, at: moment)
  }

  private mutating func fire(
    _ finding: Finding,
    _ severity: Severity,
    from: AlertState,
    at moment: Moment,
    _ diagnose: (Finding, UInt64) -> Diagnosis
  ) -> AlertTransition? {
    describe(finding, diagnose)
    alert?.severity = severity
    alert?.state = .firing
    alert?.firedStep = moment.step
    alert?.firedAt = moment.time
    clean = 0
    return transition(from: from, at: moment)
  }

  private mutating func escalate(
    _ finding: Finding,
    to severity: Severity,
    at moment: Moment,
    _ diagnose: (Finding, UInt64) -> Diagnosis
  ) -> AlertTransition? {
    describe(finding, diagnose)
    alert?.severity = severity
    clean = 0
    return transition(from: alert?.state, at: moment)
  }

  private mutating func reopen(
    _ finding: Finding,
    _ severity: Severity,
    at moment: Moment,
    _ diagnose: (Finding, UInt64) -> Diagnosis
  ) -> AlertTransition? {
    if returns.count > AlertPolicy.maximumReturns { returns.removeFirst() }
    returns.append(moment.step)
    alert?.reopenedCount &+= 1
    alert?.resolvedStep = nil
    alert?.resolvedAt = nil
    // Who knew of the last time does not know of this one.
    alert?.acknowledgedAt = nil
    alert?.acknowledgedBy = ""
    alert?.evidence.lastStep = moment.step
    return fire(finding, severity, from: .resolved, at: moment, diagnose)
  }

  /// Counts clean evaluations, and resolves after enough of them.
  private mutating func settle(
    _ finding: Finding?,
    at moment: Moment,
    policy: AlertPolicy
  ) -> AlertTransition? {
    guard let alert else { return nil }
    if let finding, finding.met != nil || finding.held >= alert.severity {
      clean = 0
      return nil
    }
    clean &+= 1
    guard clean >= policy.cleanEvaluations, !isHeldOpen(at: moment.step) else { return nil }
    return resolve(at: moment)
  }

  /// Whether the alert flapped so often that only a long silence ends it.
  private func isHeldOpen(at step: UInt64) -> Bool {
    guard let alert, returns.count > AlertPolicy.maximumReturns, let oldest = returns.first,
      let latest = returns.last
    else { return false }
    let isFlapping = latest &- oldest <= AlertPolicy.flapSteps
    return isFlapping && step < alert.evidence.lastStep &+ AlertPolicy.flapSteps
  }

  /// Resolves the alert.
  mutating func resolve(at moment: Moment) -> AlertTransition? {
    guard let from = alert?.state, from.isOpen else { return nil }
    alert?.state = .resolved
    alert?.resolvedStep = moment.step
    alert?.resolvedAt = moment.time
    clean = 0
    hits = SeverityHits()
    return transition(from: from, at: moment)
  }

  /// Resolves the alert for a reason that lies outside of what was measured.
  mutating func resolve(at moment: Moment, because reason: String) -> AlertTransition? {
    alert?.evidence.facts["resolution"] = reason
    return resolve(at: moment)
  }

  /// Resolves the alert because the producer went back before it began.
  mutating func rewind(at moment: Moment) -> AlertTransition? {
    isRewound = true
    return resolve(at: moment, because: Alert.rewound)
  }

  /// Goes on as `earlier`, which began at the same step before the producer went back to before it.
  mutating func revive(_ earlier: Episode) {
    alert?.reopenedCount = (earlier.alert?.reopenedCount ?? 0) &+ 1
  }

  /// Gives the alert up, so that the episode is forgotten.
  mutating func dismiss() {
    alert = nil
    hits = SeverityHits()
  }

  /// Notes that a person knows of it; `nil` if it is not firing.
  mutating func acknowledge(by person: String, at moment: Moment) -> AlertTransition? {
    guard alert?.state == .firing else { return nil }
    alert?.state = .acknowledged
    alert?.acknowledgedBy = person
    alert?.acknowledgedAt = moment.time
    return transition(from: .firing, at: moment)
  }

  /// Takes from the store's copy what no replay tells: what a person said, and what a clock did.
  ///
  /// Of an alert that is open in both, or resolved in both, everything else is newer here: the store has
  /// it as of the last transition, the replay as of the last report.
  mutating func adopt(_ stored: Alert) {
    guard isOpen == stored.state.isOpen, alert != nil else {
      alert = stored
      clean = 0
      return
    }
    alert?.state = stored.state
    alert?.acknowledgedAt = stored.acknowledgedAt
    alert?.acknowledgedBy = stored.acknowledgedBy
  }

  private func transition(from: AlertState?, at moment: Moment) -> AlertTransition? {
    alert.map { AlertTransition(alert: $0, from: from, step: moment.step, at: moment.time) }
  }

  /// Visits the stored values.
  mutating func code(
    _ coder: inout some StateCoder,
    identity: AlertMachine.Identity
  ) throws(SnapshotError) {
    try coder.code(&scope)
    try hits.code(&coder)
    try coder.code(&start.step)
    try coder.code(&start.time)
    try coder.code(&alert, placeholder: identity.placeholder) {
      (coder, alert) throws(SnapshotError) in try coder.code(&alert)
    }
    try coder.code(&clean)
    try coder.code(&returns, maximum: AlertPolicy.maximumReturns + 1, placeholder: 0) {
      (coder, step) throws(SnapshotError) in try coder.code(&step)
    }
    try coder.code(&isRewound)
  }
}
