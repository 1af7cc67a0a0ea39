import RunStore
import Synchronization
import Telemetry
import TelemetryWire

/// The silences, in memory as in the store.
///
/// Bound: ``maximum``. Overflow: one more is refused.
final class SilenceBook: Sendable {
  /// The most silences that have not ended.
  static let maximum = 1000

  private let store: any RunStore
  private let silences: Mutex<[Silence]>
  /// Held while the store is written, so that both change in the same order; readers don't wait for it.
  private let writing = Mutex(())

  /// Reads what the store has; `damaged` is called with what can't be read, which then silences nobody.
  init(store: any RunStore, damaged: (RunStoreError) -> Void) throws(RunStoreError) {
    self.store = store
    silences = Mutex(try store.silences(damaged: damaged))
  }

  /// Those that have not ended, the one that ends first before the others.
  func all(at now: WallTime) -> [Silence] {
    silences.withLock { $0.filter { now < $0.endsAt } }
  }

  /// The identifiers of those that cover an alert.
  func covering(_ alert: Alert, of project: String, at now: WallTime) -> [String] {
    silences.withLock { silences in
      silences.filter { $0.covers(alert, of: project, at: now) }.map(\.id)
    }
  }

  /// Adds a silence; blocks until it is durable.
  func add(_ silence: Silence, at now: WallTime) throws {
    try writing.withLock { _ in
      guard all(at: now).count < Self.maximum else {
        throw Failure.tooManySilences(limit: Self.maximum).status
      }
      try store.addSilence(silence, at: now)
      silences.withLock { silences in
        silences.removeAll { $0.endsAt <= now }
        silences.append(silence)
        silences.sort { ($0.endsAt, $0.id) < ($1.endsAt, $1.id) }
      }
    }
  }

  /// Ends a silence, which blocks until that is durable; returns whether there was one.
  func remove(_ id: String, at now: WallTime) throws(RunStoreError) -> Bool {
    try writing.withLock { _ throws(RunStoreError) in
      let isThere = all(at: now).contains { $0.id == id }
      _ = try store.removeSilence(id)
      silences.withLock { $0.removeAll { $0.id == id } }
      return isThere
    }
  }
}

extension Collector {
  /// Alerts for the wire, each with the silences that cover it now.
  func marked(_ alerts: [Alert]) async throws -> [Gradwatch_V1_Alert] {
    let now = now()
    guard !silences.all(at: now).isEmpty else { return alerts.map(Gradwatch_V1_Alert.init) }
    // A stored alert does not carry its project.
    let runs = Set(alerts.map(\.run))
    let projects = try await blocking.run { [store] in
      var projects: [RunID: String] = [:]
      for run in runs { projects[run] = try store.run(run)?.project }
      return projects
    }
    return alerts.map { alert in
      var wire = Gradwatch_V1_Alert(alert)
      wire.silencedBy = silences.covering(alert, of: projects[alert.run] ?? "", at: now)
      return wire
    }
  }
}
