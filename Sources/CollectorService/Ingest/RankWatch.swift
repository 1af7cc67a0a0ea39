import Detection
import RunStore
import Synchronization
import Telemetry

/// The comparison of a run's ranks, shared by the producers that stream for it.
///
/// It lives in memory only: what ranks told of a step that was not complete at a restart is given up, and
/// the alerts come back from the store. A producer takes this lock inside of its own, and queues what
/// follows for the disk before it lets go, so that an alert's transitions are stored in order.
final class RankWatch: Sendable {
  private struct State {
    var comparison: RankComparison
    /// Which rules it has.
    var revision: Int64

    init(_ run: RunID, _ rules: StoredRules, adopting alerts: [Alert]) {
      comparison = RankComparison(run: run, rules: rules.rules)
      revision = rules.revision
      comparison.adopt(alerts)
    }
  }

  private let state: Mutex<State>

  /// Starts with the run's alerts as the store has them.
  init(run: RunID, rules: StoredRules, adopting alerts: [Alert]) {
    state = Mutex(State(run, rules, adopting: alerts))
  }

  /// Starts anew, after something that the comparison had decided could not be made durable.
  func restart(run: RunID, rules: StoredRules, adopting alerts: [Alert]) {
    state.withLock { $0 = State(run, rules, adopting: alerts) }
  }

  /// Takes other settings, unless it has newer ones, and hands what changed to `submit` while no rank can go on.
  func apply(_ rules: StoredRules, at now: WallTime, submit: ([AlertTransition]) -> Void) {
    state.withLock { state in
      guard rules.revision > state.revision else { return }
      state.revision = rules.revision
      submit(state.comparison.apply(rules.rules, at: now))
    }
  }

  /// Takes a report, and hands what changed to `submit` while no other rank can go on.
  func observe(
    _ report: StepReport,
    from producer: Producer,
    at now: WallTime,
    submit: ([AlertTransition]) -> Void
  ) {
    state.withLock { submit($0.comparison.observe(report, from: producer, receivedAt: now)) }
  }

  /// Acknowledges an alert, and hands the change to `submit`; `nil` if there is no such alert that fires.
  func acknowledge(
    _ id: AlertID,
    by person: String,
    step: UInt64,
    at now: WallTime,
    submit: (AlertTransition) -> Void
  ) -> Alert? {
    state.withLock { state in
      let change = state.comparison.acknowledge(id, by: person, step: step, at: now)
      if let change { submit(change) }
      return change?.alert
    }
  }
}
