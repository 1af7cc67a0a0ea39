import Ingest
import Synchronization

/// What a collector does and has done since its start, as numbers for an operator.
final class Activity: Sendable {
  /// Telemetry streams that are open.
  let streams = Gauge()
  /// Alert subscriptions that are open.
  let subscribers = Gauge()

  /// What became of reports.
  struct Reports: Sendable {
    var accepted: UInt64 = 0
    var refused: UInt64 = 0
    var duplicate: UInt64 = 0
    var early: UInt64 = 0
  }

  private let counts = Mutex(Reports())

  /// The reports since the start.
  var reports: Reports { counts.withLock { $0 } }

  /// Counts what became of a report.
  func count(_ decision: Decision) {
    counts.withLock { counts in
      switch decision {
      case .accept: counts.accepted += 1
      case .refuse: counts.refused += 1
      case .duplicate: counts.duplicate += 1
      case .gap: counts.early += 1
      }
    }
  }
}
