import Detection
import Synchronization
import Telemetry

/// The comparison of a run's ranks, shared by the producers that stream for it.
///
/// It lives in memory only: what ranks told of a step that was not complete at a restart is given up, and
/// the alerts come back from the store. A producer takes this lock inside of its own, and queues what
/// follows for the disk before it lets go, so that an alert's transitions are stored in order.
final class RankWatch: Sendable {
  private let comparison: Mutex<RankComparison>

  /// Starts with the run's alerts as the store has them.
  init(run: RunID, rules: RuleSet, adopting alerts: [Alert]) {
    comparison = Mutex(Self.comparison(run, rules, alerts))
  }

  /// Starts anew, after something that the comparison had decided could not be made durable.
  func restart(run: RunID, rules: RuleSet, adopting alerts: [Alert]) {
    comparison.withLock { $0 = Self.comparison(run, rules, alerts) }
  }

  private static func comparison(
    _ run: RunID,
    _ rules: RuleSet,
    _ alerts: [Alert]
  ) -> RankComparison {
    var comparison = RankComparison(run: run, rules: rules)
    comparison.adopt(alerts)
    return comparison
  }

  /// Takes other settings.
  func apply(_ rules: RuleSet) { comparison.withLock { $0.apply(rules) } }

  /// Takes a report, and hands what changed to `submit` while no other rank can go on.
  func observe(
    _ report: StepReport,
    from producer: Producer,
    at now: WallTime,
    submit: ([AlertTransition]) -> Void
  ) {
    comparison.withLock { submit($0.observe(report, from: producer, receivedAt: now)) }
  }

  /// Acknowledges an alert, and hands the change to `submit`; `nil` if there is no such alert that fires.
  func acknowledge(
    _ id: AlertID,
    by person: String,
    step: UInt64,
    at now: WallTime,
    submit: (AlertTransition) -> Void
  ) -> Alert? {
    comparison.withLock { comparison in
      let change = comparison.acknowledge(id, by: person, step: step, at: now)
      if let change { submit(change) }
      return change?.alert
    }
  }
}
