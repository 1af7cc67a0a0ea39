import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryWire

extension Retention {
  /// Takes limits from a client.
  init(wire: Gradwatch_V1_Retention) throws(TelemetryError) {
    self.init()
    if wire.hasMaximumAgeSeconds {
      let age = wire.maximumAgeSeconds
      guard age >= 0, age.isFinite else {
        throw .outOfRange(
          field: "retention.maximum_age_seconds",
          expected: "a finite number, at least 0",
          found: "\(age)"
        )
      }
      maximumAge = age
    }
    if wire.hasMaximumRuns { maximumRuns = wire.maximumRuns }
    if wire.hasMaximumBytes { maximumBytes = wire.maximumBytes }
  }
}

extension Gradwatch_V1_Retention {
  /// Makes the wire form of limits.
  init(_ retention: Retention) {
    self.init()
    if let age = retention.maximumAge { maximumAgeSeconds = age }
    if let runs = retention.maximumRuns { maximumRuns = runs }
    if let bytes = retention.maximumBytes { maximumBytes = bytes }
  }
}

extension Gradwatch_V1_PrunedRun {
  /// Makes the wire form of a run beyond a limit.
  init(_ excess: Retention.Excess) {
    self.init()
    let footprint = excess.footprint
    run.runID = footprint.run.rawValue
    run.project = footprint.project
    run.endedAt = .init(excess.endedAt)
    run.reports = footprint.reports
    run.bytes = footprint.bytes
    limit =
      switch excess.limit {
      case .age: .age
      case .runs: .runs
      case .bytes: .bytes
      }
  }
}

extension Gradwatch_V1_StoreSize {
  /// Makes the wire form of a store's sizes.
  init(_ statistics: StoreStatistics) {
    self.init()
    databaseBytes = statistics.databaseBytes
    writeAheadLogBytes = statistics.writeAheadLogBytes
    freeBytes = statistics.freeBytes
  }
}

extension Gradwatch_V1_ReportCounts {
  /// Makes the wire form of what became of reports.
  init(_ reports: Activity.Reports) {
    self.init()
    accepted = reports.accepted
    refused = reports.refused
    duplicate = reports.duplicate
    early = reports.early
  }
}
