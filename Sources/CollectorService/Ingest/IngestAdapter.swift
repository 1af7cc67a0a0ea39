import Foundation
import GRPCCore
import Ingest
import Logging
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryWire

/// `gradwatch.v1.IngestService`: the wire's side of registering, reporting and finishing.
struct IngestAdapter: Gradwatch_V1_IngestService.SimpleServiceProtocol {
  let collector: Collector

  func registerRun(
    request: Gradwatch_V1_RegisterRunRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_RegisterRunResponse {
    try await Failure.mapped {
      let registration = try RunRegistration(
        wire: request,
        generatedID: UUID().uuidString.lowercased()
      )
      let time = collector.now()
      let registered = try await collector.ingesting.run { [store = collector.store] in
        try store.register(registration, at: time)
      }
      await collector.removal.heard(of: registration.run)
      for producer in await collector.producers.inMemory(of: registration.run) {
        producer.resume(registration.producer)
      }
      return .with {
        $0.run = Gradwatch_V1_Run(registered.run)
        $0.producer = Gradwatch_V1_ProducerState(registered.producer)
      }
    }
  }

  func streamTelemetry(
    request: RPCAsyncSequence<Gradwatch_V1_StreamTelemetryRequest, any Error>,
    response: RPCWriter<Gradwatch_V1_StreamTelemetryResponse>,
    context: ServerContext
  ) async throws {
    try await collector.activity.streams.counting {
      try await TelemetryStream(collector: collector).serve(request, response)
    }
  }

  func reportSteps(
    request: Gradwatch_V1_ReportStepsRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_ReportStepsResponse {
    try await Failure.mapped {
      try await context.cancelling { try await report(request) }
    }
  }

  private func report(
    _ request: Gradwatch_V1_ReportStepsRequest
  ) async throws -> Gradwatch_V1_ReportStepsResponse {
    let producer = try await collector.producers.producer(
      try ProducerID(request.producerID),
      of: try RunID(request.runID)
    )
    var response = Gradwatch_V1_ReportStepsResponse()
    // By itself: what grows inside of a message's message is copied each time.
    var refusals: [Gradwatch_V1_Refusal] = []
    var largest = 0
    for wire in request.reports {
      try Task.checkCancellation()
      let arriving = try ArrivingReport(wire: wire)
      largest = Swift.max(largest, arriving.bytes)
      await collector.committer.reserve(arriving.bytes)
      let sequence = arriving.sequence
      let decision = try producer.receive(arriving, at: collector.now(), claim: nil) { _ in }
      collector.activity.count(decision)
      if case .refuse(let error) = decision {
        refusals.append(Gradwatch_V1_Refusal(sequence: sequence, error: error))
      }
      if case .gap(let expected) = decision {
        response.gap.expectedSequence = expected
        response.gap.foundSequence = sequence
        break
      }
    }
    let last = producer.last.sequence
    await collector.committer.flush()
    try producer.checkIsStored()
    response.ack.sequence = last
    response.ack.refusals = refusals
    response.ack.credits = UInt32(collector.credits(reportBytes: largest))
    return response
  }

  func finishRun(
    request: Gradwatch_V1_FinishRunRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_FinishRunResponse {
    try await Failure.mapped {
      let id = try RunID(request.runID)
      guard let status = RunStatus(wire: request.status), status != .running else {
        throw TelemetryError.outOfRange(
          field: "status",
          expected: "finished, failed or aborted",
          found: "\(request.status)"
        )
      }
      if !request.reason.isEmpty { try Name.check(request.reason, field: "reason") }
      let store = collector.store
      guard let run = try await collector.ingesting.run({ try store.run(id) }) else {
        throw RunStoreError.unknownRun(id)
      }
      // The end of a run is when it was first said.
      if run.status == status { return .with { $0.run = Gradwatch_V1_Run(run) } }
      let time = collector.now()
      for state in run.producers where state.lastSequence > 0 {
        try await collector.producers.producer(state.producer.id, of: id).finish(at: time)
      }
      for producer in await collector.producers.inMemory(of: id) {
        // One that registered, and reported only while this call was under way.
        if !producer.isFinished { try producer.finish(at: time) }
      }
      // Else the run would have ended, and what could not be stored of its end would never come.
      await collector.committer.flush()
      for producer in await collector.producers.inMemory(of: id) {
        do throws(LiveProducer.Interruption) {
          try producer.checkIsStored()
        } catch {
          // What is damaged does not become sound by waiting.
          guard case .storeFailed(.damaged) = error else { throw error }
          collector.logger.error("a run ends without", metadata: ["error": "\(error)"])
        }
      }
      try await collector.committer.commit(
        [.finish(run: id, status: status, reason: request.reason, at: time)],
        project: run.project
      )
      guard let ended = try await collector.ingesting.run({ try store.run(id) }) else {
        throw RunStoreError.unknownRun(id)
      }
      return .with { $0.run = Gradwatch_V1_Run(ended) }
    }
  }
}
