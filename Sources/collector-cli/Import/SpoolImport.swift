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
  /// Names the reports that no collector takes, and counts them as refused.
  ///
  /// - Returns: What came of it, and where the file could not be read on.
  /// - Throws: ``CommandFailure`` if the file is no spool, the collector has other reports of its
  ///   producer, or is not there.
  func run(_ file: String) async throws -> (ImportedRun, SpoolDamage?) {
    do {
      let spool = try SpoolFile(path: file)
      let registration = spool.registration
      var unacceptable: [UnacceptableReport] = []
      let imported = try await reports.run(registration, from: file) {
        switch try spool.nextReport() {
        case .success(let report): return report
        case .failure(let refused):
          unacceptable.append(refused)
          return Self.placeholder(of: refused)
        case nil: return nil
        }
      }
      var result = imported.result
      unacceptable.removeAll { $0.sequence <= result.known }
      for refused in unacceptable { Diagnostics.write("\(file): \(refused)") }
      if let first = unacceptable.first(where: { $0.step == result.firstRefusal?.step }) {
        result.firstRefusal?.reason = "\(first.problem)"
      }
      let ending =
        spool.ending.map { RunEnding($0.status, reason: $0.reason) }
        ?? imported.before.flatMap { Self.ending(of: $0, beside: registration.producer) }
      if let ending { try await reports.finish(registration.run, as: ending) }
      return (result, spool.damage)
    } catch let error as SpoolError {
      throw CommandFailure(.usage, "\(error)")
    }
  }

  /// What is sent in place of a report that no collector takes: refused as that would be, so that those behind it
  /// have the numbers that they have in the file.
  private static func placeholder(of refused: UnacceptableReport) -> StepReport {
    var scalars = StepScalars(step: refused.step, wallTime: WallTime(clamping: 0))
    scalars.annotations = [StepAnnotation(action: "")]
    return StepReport(sequence: refused.sequence, scalars: scalars)
  }

  /// How a run had ended before a process was registered that does not say when it ends, and so must not let it run
  /// again: one of several, and not the first.
  private static func ending(of run: Gradwatch_V1_Run, beside producer: Producer) -> RunEnding? {
    guard producer.rank ?? 0 > 0, let status = RunStatus(wire: run.status), status != .running
    else { return nil }
    return RunEnding(status, reason: run.statusReason)
  }
}
