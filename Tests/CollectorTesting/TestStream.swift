public import GRPCCore
import SwiftProtobuf
public import Telemetry
public import TelemetryTesting
public import TelemetryWire

/// An open telemetry stream, as a test's client holds it: send, and read what comes.
public struct TestStream {
  private let outgoing: AsyncStream<Gradwatch_V1_StreamTelemetryRequest>.Continuation
  private var responses:
    RPCAsyncSequence<Gradwatch_V1_StreamTelemetryResponse, any Error>.AsyncIterator

  fileprivate init(
    outgoing: AsyncStream<Gradwatch_V1_StreamTelemetryRequest>.Continuation,
    responses: RPCAsyncSequence<Gradwatch_V1_StreamTelemetryResponse, any Error>
  ) {
    self.outgoing = outgoing
    self.responses = responses.makeAsyncIterator()
  }

  /// Sends a report.
  public func send(_ report: StepReport) {
    send(.with { $0.report = Gradwatch_V1_StepReport(report) })
  }

  /// Sends any message.
  public func send(_ message: Gradwatch_V1_StreamTelemetryRequest) { outgoing.yield(message) }

  /// Says that nothing more will be sent.
  public func finishSending() { outgoing.finish() }

  /// The next message of the collector; `nil` if it ended the stream well.
  public mutating func next() async throws -> Gradwatch_V1_StreamTelemetryResponse? {
    try await responses.next()
  }

  /// Reads until everything up to `sequence` is durable.
  ///
  /// - Returns: All messages on the way, the last one being that ack.
  public mutating func readUntilAck(
    of sequence: UInt64
  ) async throws -> [Gradwatch_V1_StreamTelemetryResponse] {
    var read: [Gradwatch_V1_StreamTelemetryResponse] = []
    while let message = try await next() {
      read.append(message)
      if case .ack(let ack)? = message.event, ack.sequence >= sequence { return read }
    }
    return read
  }
}

/// Opens a telemetry stream, reads the answer to it, and runs `body`.
///
/// - Throws: What the collector ended the stream with, or what `body` throws.
public func withTelemetryStream<Transport: ClientTransport, Value: Sendable>(
  _ ingest: Gradwatch_V1_IngestService.Client<Transport>,
  _ registration: RunRegistration,
  wantAlerts: Bool = false,
  alertCursor: Int64? = nil,
  _ body:
    @Sendable @escaping (inout TestStream, Gradwatch_V1_StreamOpened) async throws -> Value
) async throws -> Value {
  // Unbounded, for a test sends little.
  let (messages, outgoing) = AsyncStream.makeStream(
    of: Gradwatch_V1_StreamTelemetryRequest.self,
    bufferingPolicy: .unbounded
  )
  outgoing.yield(
    .with {
      $0.open.runID = registration.run.rawValue
      $0.open.producerID = registration.producer.id.rawValue
      $0.open.wantAlerts = wantAlerts
      if let alertCursor { $0.open.alertCursor = alertCursor }
    }
  )
  return try await ingest.streamTelemetry { writer in
    for await message in messages { try await writer.write(message) }
  } onResponse: { response in
    defer { outgoing.finish() }
    var stream = TestStream(outgoing: outgoing, responses: response.messages)
    guard case .opened(let opened)? = try await stream.next()?.event else {
      throw RPCError(code: .unknown, message: "expected StreamOpened first")
    }
    return try await body(&stream, opened)
  }
}

extension Gradwatch_V1_IngestService.Client {
  /// Registers the run of a builder.
  public func register(
    _ run: RunBuilder
  ) async throws -> Gradwatch_V1_RegisterRunResponse {
    try await registerRun(Gradwatch_V1_RegisterRunRequest(run.registration))
  }

  /// Sends reports without a stream.
  public func report(
    _ reports: [StepReport],
    for run: RunBuilder
  ) async throws -> Gradwatch_V1_ReportStepsResponse {
    try await reportSteps(
      .with {
        $0.runID = run.registration.run.rawValue
        $0.producerID = run.registration.producer.id.rawValue
        $0.reports = reports.map(Gradwatch_V1_StepReport.init)
      }
    )
  }
}
