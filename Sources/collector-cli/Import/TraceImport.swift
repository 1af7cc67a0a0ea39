import Telemetry
import TraceFile

/// Streams traces, each the whole of its run.
struct TraceImport {
  let project: String

  private let reports: ReportImport

  /// The process that a collector takes for the run's own.
  private static let producer = "trace"

  init(connection: Connection, timeouts: ConnectionOptions, project: String) {
    self.project = project
    reports = ReportImport(
      connection: connection,
      timeouts: timeouts,
      isWholeRun: true,
      hint: "choose another id with --run or --run-prefix"
    )
  }

  /// Streams what the collector does not have of one trace, and ends its run.
  ///
  /// - Throws: ``CommandFailure`` if the file is no trace, the run is another one, or the collector
  ///   is not there.
  func run(_ file: String, as run: RunID) async throws -> ImportedRun {
    do {
      let trace = try TraceFile(path: file)
      let registration = try trace.header.registration(
        run: run,
        project: project,
        producer: Producer(id: ProducerID(Self.producer))
      )
      return try await reports.run(registration, from: file) { try trace.nextReport() }.result
    } catch let error as TraceError {
      throw CommandFailure(.usage, "\(error)")
    } catch let error as TelemetryError {
      throw CommandFailure(.usage, "\(file): \(error)")
    }
  }
}
