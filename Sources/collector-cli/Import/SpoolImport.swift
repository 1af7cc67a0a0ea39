import GradwatchClient
import SpoolFile
import Telemetry
import TelemetryWire

/// Streams spools, each of one process of a run.
struct SpoolImport {
  private let reports: ReportImport

  init(connection: Connection, timeouts: ConnectionOptions) {
    reports = ReportImport(
      connection: connection,
      timeouts: timeouts,
      isWholeRun: false,
      hint: nil
    )
  }

  /// Streams what the collector does not have of one spool, and says how the run ended, if the spool does.
  ///
  /// - Returns: What came of it, and where the file could not be read on.
  /// - Throws: ``CommandFailure`` if the file is no spool, the collector has other reports of its
  ///   producer, or is not there.
  func run(_ file: String) async throws -> (ImportedRun, SpoolDamage?) {
    do {
      let spool = try SpoolFile(path: file)
      let registration = spool.registration
      let (result, before) = try await reports.run(registration, from: file) {
        try spool.nextReport()
      }
      let ending =
        spool.ending.map { RunEnding($0.status, reason: $0.reason) }
        ?? before.flatMap { Self.ending(of: $0, beside: registration.producer) }
      if let ending { try await reports.finish(registration.run, as: ending) }
      return (result, spool.damage)
    } catch let error as SpoolError {
      throw CommandFailure(.usage, "\(error)")
    }
  }

  /// How a run had ended before a process was registered that does not say when it ends, and so must not let it run
  /// again: one of several, and not the first.
  private static func ending(of run: Gradwatch_V1_Run, beside producer: Producer) -> RunEnding? {
    guard producer.rank ?? 0 > 0, let status = RunStatus(wire: run.status), status != .running
    else { return nil }
    return RunEnding(status, reason: run.statusReason)
  }
}
