import GRPCCore
import GradwatchClient
import SwiftProtobuf
import Telemetry
import TelemetryWire

/// Streams the reports of a file through the client library, as a training loop would.
struct ReportImport {
  /// Where runs are looked up before they are streamed.
  let connection: Connection
  /// How long to wait.
  let timeouts: ConnectionOptions
  /// Whether the file is all of its run: nobody else reports to it, and it ends with the import.
  let isWholeRun: Bool
  /// What to do if another run has the id; `nil` if there is nothing to be said.
  let hint: String?

  /// Reports up to the last known one that are held against what the collector has.
  private static let comparedReports: UInt64 = 1000

  /// Streams what the collector does not have.
  ///
  /// - Parameters:
  ///   - registration: The run and the producer that the reports are of.
  ///   - file: Where they are.
  ///   - next: Reads the next one; `nil` after the last.
  /// - Returns: What came of it, and the run as the collector knew it before; `nil` if it did not.
  /// - Throws: What `next` throws; ``CommandFailure`` if the collector has other reports under the same numbers,
  ///   refuses the run, or is not there.
  func run(
    _ registration: RunRegistration,
    from file: String,
    next: () throws -> StepReport?
  ) async throws -> (result: ImportedRun, before: Gradwatch_V1_Run?) {
    var result = ImportedRun(run: registration.run, file: file)
    let before = try await knownRun(registration)
    let state = before?.producers.first {
      $0.producer.producerID == registration.producer.id.rawValue
    }
    if let state { try await check(try skip(state, &result, next), state, result) }
    let first = try next()
    // To register a run that ended lets it run again.
    if first == nil, !isWholeRun, let before, state != nil, before.hasSize(of: registration.model) {
      return (result, before)
    }
    do {
      return (try await stream(registration, result, first: first, next), before)
    } catch let error as ClientError {
      throw failure(error, run: registration.run)
    }
  }

  /// Says how a run ended; one that is known to have ended so stays as it is.
  func finish(_ run: RunID, as ending: RunEnding) async throws {
    _ = try await connection.ingest.finishRun(
      .with {
        $0.runID = run.rawValue
        $0.status = Gradwatch_V1_RunStatus(ending.status)
        $0.reason = ending.reason
      },
      options: connection.unary
    )
  }

  private func knownRun(_ registration: RunRegistration) async throws -> Gradwatch_V1_Run? {
    let known: Gradwatch_V1_Run
    do {
      known = try await connection.query.getRun(
        .with { $0.runID = registration.run.rawValue },
        options: connection.unary
      ).run
    } catch let error as RPCError where error.code == .notFound {
      return nil
    }
    let other = known.producers.first {
      $0.producer.producerID != registration.producer.id.rawValue
    }
    if isWholeRun, let other {
      throw CommandFailure(
        .usage,
        "run \(registration.run): expected one that was imported, found reports of the producer "
          + other.producer.producerID,
        hint: hint
      )
    }
    return known
  }

  /// Reads as many reports as the collector has; returns what the last of them say.
  private func skip(
    _ state: Gradwatch_V1_ProducerState,
    _ result: inout ImportedRun,
    _ next: () throws -> StepReport?
  ) throws -> ReportedNumbers {
    var numbers = ReportedNumbers()
    var hasLastStep = !state.hasLastStep
    for _ in 0..<state.lastSequence {
      guard let report = try next() else { break }
      result.steps += 1
      result.lastStep = report.step
      if report.step == state.lastStep { hasLastStep = true }
      if state.lastSequence - result.steps < Self.comparedReports { numbers.add(report) }
    }
    guard result.steps == state.lastSequence, hasLastStep else {
      throw CommandFailure(
        .usage,
        "run \(result.run): expected \(state.lastSequence) steps up to \(state.lastStep), which the "
          + "collector has, found others in \(result.file)",
        hint: hint
      )
    }
    return numbers
  }

  /// Throws ``CommandFailure`` unless the collector has of the known reports what the file says.
  ///
  /// A file's reports are numbered from 1. If its run was online as well, or is another one, as many of them as the
  /// collector had from there would count as known, and be lost.
  private func check(
    _ numbers: ReportedNumbers,
    _ state: Gradwatch_V1_ProducerState,
    _ result: ImportedRun
  ) async throws {
    guard let first = numbers.firstStep, state.hasLastStep else { return }
    let steps = StepRange(first: first, last: max(first, state.lastStep))
    var count = 0
    for metric in [Gradwatch_V1_StepMetric.loss, .globalNorm] {
      let found = Parts<Gradwatch_V1_GetLossTimelineResponse>()
      let request = Gradwatch_V1_GetLossTimelineRequest.with {
        $0.runID = result.run.rawValue
        $0.producerID = state.producer.producerID
        $0.metric = metric
        $0.steps = steps.message
      }
      try await connection.losses(request) { found.take($0) }
      do throws(NumberDifference) {
        for series in found.messages { count += try numbers.compare(metric, series) }
      } catch {
        throw CommandFailure(
          .usage,
          "\(result.file): \(error): the collector has \(state.lastSequence) reports of the run's process, not all "
            + "from this file, whose own have the same numbers; nothing was sent",
          hint: hint
        )
      }
    }
    guard count > 0 else {
      throw CommandFailure(
        .usage,
        "\(result.file): expected losses or norms \(steps.words), which the collector should have from this file, "
          + "found none there; nothing was sent",
        hint: hint
      )
    }
  }

  private func stream(
    _ registration: RunRegistration,
    _ known: ImportedRun,
    first: StepReport?,
    _ next: () throws -> StepReport?
  ) async throws -> ImportedRun {
    var options = RunOptions()
    options.requiresCollector = true
    options.wantsAlerts = false
    options.finishesRun = isWholeRun
    // A file can wait, so there is no need to hold more of it than a stream takes, or one large report.
    options.maximumBufferedReports = 1024
    options.callTimeout = timeouts.unaryTimeout
    options.flushTimeout = timeouts.streamTimeout
    let outcome = try await withRun(
      transport: connection.address.makeTransport(),
      registration: registration,
      options: options
    ) { live in
      var result = known
      var pending = first
      while !live.isOver, let report = pending {
        result.steps += 1
        result.lastStep = report.step
        await live.reportWhenRoom(report)
        pending = try next()
      }
      return result
    }
    if case .failed(let error) = outcome.delivery.state { throw error }
    guard outcome.delivery.dropped == 0 else {
      throw CommandFailure(
        .usage,
        "\(known.file): expected reports that take at most \(options.maximumBufferedBytes) bytes of "
          + "memory, found \(outcome.delivery.dropped) larger ones"
      )
    }
    var result = outcome.value
    result.sent = outcome.delivery.delivered
    result.refused = outcome.delivery.refused
    result.firstRefusal = outcome.delivery.firstRefusal
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
          hint: reason == "MODEL_DIFFERS" ? hint : nil
        )
      }
    }
  }
}

extension Gradwatch_V1_Run {
  /// Whether it has as many layers and tensors as a model.
  fileprivate func hasSize(of model: Model) -> Bool {
    Int(layerCount) == model.layers.count && Int(tensorCount) == model.tensors.count
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
