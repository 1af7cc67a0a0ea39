import GRPCCore
import GradwatchClient
import SwiftProtobuf
import Telemetry
import TelemetryWire
import TraceFile

/// Streams traces through the client library, as a training loop would.
struct TraceImport {
  /// Where runs are looked up before they are streamed.
  let connection: Connection
  /// How long to wait.
  let timeouts: ConnectionOptions
  let project: String

  /// The process that a collector takes for the run's own.
  private static let producer = "trace"

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
      var result = ImportedRun(run: run, file: file)
      try await skipKnown(of: trace, &result)
      return try await stream(trace, registration, result)
    } catch let error as TraceError {
      throw CommandFailure(.usage, "\(error)")
    } catch let error as TelemetryError {
      throw CommandFailure(.usage, "\(file): \(error)")
    } catch let error as ClientError {
      throw failure(error, run: run)
    }
  }

  /// Reads the steps that the collector has from an earlier import.
  private func skipKnown(of trace: TraceFile, _ result: inout ImportedRun) async throws {
    let known: Gradwatch_V1_Run
    do {
      known = try await connection.query.getRun(
        .with { $0.runID = result.run.rawValue },
        options: connection.unary
      ).run
    } catch let error as RPCError where error.code == .notFound {
      return
    }
    let hint = "choose another id with --run or --run-prefix"
    if let other = known.producers.first(where: { $0.producer.producerID != Self.producer }) {
      throw CommandFailure(
        .usage,
        "run \(result.run): expected one that was imported, found reports of the producer "
          + other.producer.producerID,
        hint: hint
      )
    }
    guard let state = known.producers.first else { return }
    var hasLastStep = !state.hasLastStep
    for _ in 0..<state.lastSequence {
      guard let report = try trace.nextReport() else { break }
      result.steps += 1
      result.lastStep = report.step
      if report.step == state.lastStep { hasLastStep = true }
    }
    guard result.steps == state.lastSequence, hasLastStep else {
      throw CommandFailure(
        .usage,
        "run \(result.run): expected \(state.lastSequence) steps up to \(state.lastStep), which the "
          + "collector has, found others in \(result.file)",
        hint: hint
      )
    }
  }

  private func stream(
    _ trace: TraceFile,
    _ registration: RunRegistration,
    _ known: ImportedRun
  ) async throws -> ImportedRun {
    var options = RunOptions()
    options.requiresCollector = true
    options.wantsAlerts = false
    // A file can wait, so there is no need to hold more of it than a stream takes.
    options.maximumBufferedReports = 1024
    options.maximumBufferedBytes = 16 << 20
    options.callTimeout = timeouts.unaryTimeout
    options.flushTimeout = timeouts.streamTimeout
    let outcome = try await withRun(
      transport: connection.address.makeTransport(),
      registration: registration,
      options: options
    ) { live in
      var result = known
      while !live.isOver, let report = try trace.nextReport() {
        result.steps += 1
        result.lastStep = report.step
        await live.reportWhenRoom(report)
      }
      return result
    }
    if case .failed(let error) = outcome.delivery.state { throw error }
    var result = outcome.value
    result.sent = outcome.delivery.delivered
    result.refused = outcome.delivery.refused
    if let refusal = outcome.delivery.firstRefusal {
      result.firstRefusal = "step \(refusal.step): \(refusal.reason)"
    }
    return result
  }

  private func failure(_ error: ClientError, run: RunID) -> CommandFailure {
    let address = connection.address
    switch error {
    case .unreachable, .transportEnded, .incomplete:
      return CommandFailure(.unreachable, "\(address): run \(run): \(error)")
    case .superseded: return CommandFailure(.usage, "run \(run): \(error)")
    case .rejected(let code, let reason, _):
      switch code {
      case "unauthenticated", "permissionDenied":
        return CommandFailure(.notPermitted, "\(address): \(error)")
      default:
        return CommandFailure(
          .usage,
          "run \(run): \(error)",
          hint: reason == "MODEL_DIFFERS" ? "choose another id with --run or --run-prefix" : nil
        )
      }
    }
  }
}

extension LiveRun {
  /// Whether nothing more will be sent.
  fileprivate var isOver: Bool {
    switch status.state {
    case .failed, .completed: true
    case .connecting, .streaming, .waiting: false
    }
  }
}
