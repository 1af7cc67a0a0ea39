import Telemetry

/// The alerts of one rule for one producer: matches findings to episodes and moves those on.
struct AlertMachine: Sendable {
  /// Whose alerts these are.
  struct Identity: Sendable {
    var run: RunID
    var producer: ProducerID
    var rule: RuleID

    /// An alert to read a stored one into.
    var placeholder: Alert {
      Alert(
        run: run,
        producer: producer,
        rule: rule,
        severity: .info,
        scope: .run,
        summary: "",
        cause: "",
        confidence: 0,
        evidence: Evidence(quantity: "", observed: 0, firstStep: 0, lastStep: 0),
        remedies: [],
        firstStep: 0,
        startedAt: WallTime(clamping: 0)
      )
    }
  }

  private let identity: Identity
  private let policy: AlertPolicy
  /// Suspicions, open alerts, and the last resolved ones, which may return.
  private(set) var episodes: [Episode] = []
  /// The step at which an alert was last resolved.
  private var lastResolved: UInt64?

  /// Resolved alerts that are remembered.
  private static let maximumResolved = 8
  /// Episodes of any kind; a rule that finds more places at once keeps the first ones.
  private static let maximumEpisodes = 256

  /// Starts without any alert.
  init(_ identity: Identity, policy: AlertPolicy) {
    self.identity = identity
    self.policy = policy
  }

  /// The alerts that are pending, firing or acknowledged.
  var openAlerts: [Alert] { episodes.compactMap { $0.isOpen ? $0.alert : nil } }

  /// Whether a warning or worse is firing.
  var hasWarning: Bool {
    episodes.contains { episode in
      guard let alert = episode.alert, alert.severity >= .warning else { return false }
      return alert.state == .firing || alert.state == .acknowledged
    }
  }

  /// Takes one evaluation of the rule.
  mutating func evaluate(
    _ findings: [Finding],
    at moment: Moment,
    after moments: RecentMoments = RecentMoments(),
    into transitions: inout [AlertTransition],
    diagnose: (Finding, UInt64) -> Diagnosis
  ) {
    guard !(findings.isEmpty && episodes.isEmpty) else { return }
    var isUsed = [Bool](repeating: false, count: findings.count)
    for index in episodes.indices where !episodes[index].isRewound {
      // A second place that overlaps the same episode is part of it.
      var match: Finding?
      for (position, finding) in findings.enumerated()
      where !isUsed[position] && episodes[index].overlaps(finding.scope) {
        guard accepts(finding, at: index, moment) else { continue }
        isUsed[position] = true
        if match == nil || (match?.met ?? .info) < (finding.met ?? .info) { match = finding }
      }
      advance(index, match, at: moment, into: &transitions, diagnose)
    }
    for (position, finding) in findings.enumerated()
    where !isUsed[position] && finding.met != nil && episodes.count < Self.maximumEpisodes {
      let start = start(of: finding, at: moment, after: moments)
      episodes.append(Episode(scope: finding.scope, start: start))
      advance(episodes.count - 1, finding, at: moment, into: &transitions, diagnose)
    }
    forget(at: moment.step)
  }

  /// When the condition began; as early as no other alert of the place can have begun.
  private func start(of finding: Finding, at moment: Moment, after moments: RecentMoments) -> Moment
  {
    guard finding.reports > 1, let first = moments.first(ofLast: finding.reports),
      lastResolved.map({ first.step > $0 }) ?? true
    else { return moment }
    let id = AlertID(
      run: identity.run,
      producer: identity.producer,
      rule: identity.rule,
      scope: finding.scope,
      firstStep: first.step
    )
    return episodes.contains { $0.alert?.id == id && !$0.isRewound } ? moment : first
  }

  /// Whether the episode may take the finding: a resolved alert returns only soon, and no lower.
  private func accepts(_ finding: Finding, at index: Int, _ moment: Moment) -> Bool {
    guard let alert = episodes[index].alert, alert.state == .resolved else { return true }
    return finding.met.map { $0 >= alert.severity } ?? false
  }

  private mutating func advance(
    _ index: Int,
    _ finding: Finding?,
    at moment: Moment,
    into transitions: inout [AlertTransition],
    _ diagnose: (Finding, UInt64) -> Diagnosis
  ) {
    let change = episodes[index].advance(
      finding,
      at: moment,
      policy: policy,
      identity: identity,
      diagnose: diagnose
    )
    guard var change else { return }
    let id = change.alert.id
    if change.from == nil,
      let earlier = episodes.firstIndex(where: { $0.isRewound && $0.alert?.id == id })
    {
      // The same step again after a rewind gives the same identifier, and so the same alert.
      episodes[index].revive(episodes[earlier])
      episodes[earlier].dismiss()
      change.alert = episodes[index].alert ?? change.alert
      change.from = .resolved
    }
    if change.alert.state == .resolved { lastResolved = moment.step }
    transitions.append(change)
  }

  private mutating func forget(at step: UInt64) {
    episodes.removeAll { [policy] episode in
      if episode.isForgotten(policy) { return true }
      guard let alert = episode.alert, alert.state == .resolved else { return false }
      if episode.isRewound { return step > alert.firstStep }
      // An alert that never fired has nothing to return to.
      guard alert.firedStep != nil, let resolved = alert.resolvedStep else { return true }
      return step > resolved &+ AlertPolicy.flapSteps
    }
    limitResolved()
  }

  private mutating func limitResolved() {
    var surplus =
      episodes.reduce(0) { $0 + ($1.alert != nil && !$1.isOpen ? 1 : 0) } - Self.maximumResolved
    while surplus > 0, let index = episodes.firstIndex(where: { $0.alert != nil && !$0.isOpen }) {
      episodes.remove(at: index)
      surplus -= 1
    }
  }

  /// Resolves the alerts that began at or after `moment`'s step, and forgets suspicions.
  mutating func rewind(at moment: Moment, into transitions: inout [AlertTransition]) {
    episodes.removeAll { $0.alert == nil }
    for index in episodes.indices where episodes[index].start.step >= moment.step {
      if let change = episodes[index].rewind(at: moment) { transitions.append(change) }
    }
    limitResolved()
  }

  /// Resolves what is open and forgets suspicions: the rule was switched off.
  mutating func resolveAll(at moment: Moment, into transitions: inout [AlertTransition]) {
    episodes.removeAll { $0.alert == nil }
    for index in episodes.indices where episodes[index].isOpen {
      if let change = episodes[index].resolve(at: moment, because: "rule switched off") {
        transitions.append(change)
      }
    }
    limitResolved()
  }

  /// Notes that a person knows of an alert.
  mutating func acknowledge(
    _ id: AlertID,
    by person: String,
    at moment: Moment
  )
    -> AlertTransition?
  {
    guard let index = episodes.firstIndex(where: { $0.alert?.id == id }) else { return nil }
    return episodes[index].acknowledge(by: person, at: moment)
  }

  /// Replaces the alerts by the store's.
  ///
  /// - Parameters:
  ///   - stored: The store's alerts.
  ///   - isReplayed: Whether all that this machine was ever told was replayed: then it has forgotten the
  ///     resolved alerts that it does not have, as ones that the producer went back over.
  mutating func adopt(_ stored: [Alert], isReplayed: Bool) {
    let mine = stored.filter {
      $0.rule == identity.rule && $0.producer == identity.producer && $0.run == identity.run
    }
    let ids = Set(mine.map(\.id))
    episodes.removeAll { $0.alert.map { !ids.contains($0.id) } ?? false }
    for alert in mine {
      if let index = episodes.firstIndex(where: { $0.alert?.id == alert.id }) {
        episodes[index].adopt(alert)
      } else if episodes.count < Self.maximumEpisodes, alert.state.isOpen || !isReplayed {
        episodes.append(Episode(adopting: alert))
      }
    }
    limitResolved()
  }

  /// Visits the stored values.
  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    let identity = identity
    try coder.code(
      &episodes,
      maximum: Self.maximumEpisodes,
      placeholder: Episode(scope: .run, start: Moment(step: 0, time: WallTime(clamping: 0)))
    ) { (coder, episode) throws(SnapshotError) in
      try episode.code(&coder, identity: identity)
    }
    try coder.code(&lastResolved)
  }
}
