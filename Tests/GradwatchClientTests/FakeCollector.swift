import GRPCCore
import GRPCInProcessTransport
import GRPCProtobuf
import GradwatchClient
import Synchronization
import Telemetry
import TelemetryWire

/// An ingest service in memory that does what a test tells it to.
final class FakeCollector: Gradwatch_V1_IngestService.SimpleServiceProtocol {
  struct State {
    var registrations: [Gradwatch_V1_RegisterRunRequest] = []
    var opens: [Gradwatch_V1_StreamOpen] = []
    /// Every report that came, accepted or not.
    var received: [Gradwatch_V1_StepReport] = []
    /// The reports that were accepted, which here are durable at once.
    var stored: [Gradwatch_V1_StepReport] = []
    var lastSequence: UInt64 = 0
    var lastAcked: UInt64 = 0
    /// The most reports that were received and not acked at one time.
    var mostInFlight: UInt64 = 0
    var finishes: [Gradwatch_V1_FinishRunRequest] = []
  }

  let state = Mutex(State())
  private let onRegister: @Sendable (Int) async throws -> Void
  private let onStream: @Sendable (Int, inout FakeStream) async throws -> Void
  private let onFinish: @Sendable (Int) throws -> Void

  /// Makes a collector; each closure is told how often it was called before.
  init(
    onRegister: @escaping @Sendable (Int) async throws -> Void = { _ in },
    onStream: @escaping @Sendable (Int, inout FakeStream) async throws -> Void = {
      try await $1.serve()
    },
    onFinish: @escaping @Sendable (Int) throws -> Void = { _ in }
  ) {
    self.onRegister = onRegister
    self.onStream = onStream
    self.onFinish = onFinish
  }

  var storedSteps: [UInt64] { state.withLock { $0.stored.map(\.step) } }

  func registerRun(
    request: Gradwatch_V1_RegisterRunRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_RegisterRunResponse {
    let index = state.withLock { state in
      state.registrations.append(request)
      return state.registrations.count - 1
    }
    try await onRegister(index)
    return Gradwatch_V1_RegisterRunResponse()
  }

  func streamTelemetry(
    request: RPCAsyncSequence<Gradwatch_V1_StreamTelemetryRequest, any Error>,
    response: RPCWriter<Gradwatch_V1_StreamTelemetryResponse>,
    context: ServerContext
  ) async throws {
    var messages = request.makeAsyncIterator()
    guard case .open(let open)? = try await messages.next()?.message else {
      throw RPCError(code: .invalidArgument, message: "no StreamOpen")
    }
    let index = state.withLock { state in
      state.opens.append(open)
      return state.opens.count - 1
    }
    var stream = FakeStream(collector: self, writer: response, messages: messages)
    try await onStream(index, &stream)
  }

  func reportSteps(
    request: Gradwatch_V1_ReportStepsRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_ReportStepsResponse {
    throw RPCError(code: .unimplemented, message: "")
  }

  func finishRun(
    request: Gradwatch_V1_FinishRunRequest,
    context: ServerContext
  ) async throws -> Gradwatch_V1_FinishRunResponse {
    let index = state.withLock { state in
      state.finishes.append(request)
      return state.finishes.count - 1
    }
    try onFinish(index)
    return Gradwatch_V1_FinishRunResponse()
  }
}

/// One stream of a ``FakeCollector``, with the verbs that a script is made of.
struct FakeStream {
  let collector: FakeCollector
  let writer: RPCWriter<Gradwatch_V1_StreamTelemetryResponse>
  var messages: RPCAsyncSequence<Gradwatch_V1_StreamTelemetryRequest, any Error>.AsyncIterator
  var credits: UInt32 = 64

  /// Serves to the end of the stream as a collector should, but for the steps that it refuses.
  mutating func serve(refusing steps: Set<UInt64> = []) async throws {
    try await open()
    while let report = try await next() {
      if steps.contains(report.step) {
        let sequence = collector.state.withLock { state in
          if report.sequence == state.lastSequence + 1 { state.lastSequence = report.sequence }
          return state.lastSequence
        }
        try await ack(through: sequence, refusing: [report.sequence])
      } else if accept(report) {
        try await ack()
      } else {
        try await tellGap(found: report.sequence)
      }
    }
  }

  func open() async throws {
    var response = Gradwatch_V1_StreamTelemetryResponse()
    response.opened.lastSequence = collector.state.withLock { $0.lastSequence }
    response.opened.credits = credits
    collector.state.withLock { $0.lastAcked = $0.lastSequence }
    try await writer.write(response)
  }

  /// The next report; `nil` if the client sends no more.
  mutating func next() async throws -> Gradwatch_V1_StepReport? {
    guard let message = try await messages.next() else { return nil }
    collector.state.withLock { state in
      state.received.append(message.report)
      state.mostInFlight = max(state.mostInFlight, message.report.sequence - state.lastAcked)
    }
    return message.report
  }

  /// Stores a report if it has the next number or one that was stored before.
  func accept(_ report: Gradwatch_V1_StepReport) -> Bool {
    collector.state.withLock { state in
      guard report.sequence <= state.lastSequence + 1 else { return false }
      if report.sequence == state.lastSequence + 1 {
        state.stored.append(report)
        state.lastSequence = report.sequence
      }
      return true
    }
  }

  /// Acks all that was accepted, or up to a number.
  func ack(through sequence: UInt64? = nil, refusing refused: [UInt64] = []) async throws {
    let sequence = sequence ?? collector.state.withLock { $0.lastSequence }
    var response = Gradwatch_V1_StreamTelemetryResponse()
    response.ack.sequence = sequence
    response.ack.credits = credits
    for number in refused {
      var refusal = Gradwatch_V1_Refusal()
      refusal.sequence = number
      refusal.field = "gradients.norm"
      refusal.reason = "expected something else"
      response.ack.refusals.append(refusal)
    }
    collector.state.withLock { $0.lastAcked = sequence }
    try await writer.write(response)
  }

  func tellGap(found: UInt64) async throws {
    var response = Gradwatch_V1_StreamTelemetryResponse()
    response.gap.expectedSequence = collector.state.withLock { $0.lastSequence + 1 }
    response.gap.foundSequence = found
    try await writer.write(response)
  }

  func alert(cursor: Int64) async throws {
    var response = Gradwatch_V1_StreamTelemetryResponse()
    response.alert = Gradwatch_V1_AlertTransition(
      AlertTransition(
        alert: Alert(
          run: RunID(stored: "run"),
          producer: ProducerID(stored: "p"),
          rule: RuleID("non_finite_loss"),
          severity: .critical,
          scope: .run,
          summary: "alert \(cursor)",
          cause: "",
          confidence: 1,
          evidence: Evidence(quantity: "", observed: 0, firstStep: 0, lastStep: 0),
          remedies: [],
          firstStep: UInt64(cursor),
          startedAt: WallTime(clamping: 0)
        ),
        from: nil,
        step: UInt64(cursor),
        at: WallTime(clamping: 0)
      ),
      cursor: cursor
    )
    try await writer.write(response)
  }
}

/// The one query that a client asks: what the collector accepts.
private struct FakeServerInfo: RegistrableRPCService {
  let maximumMessageBytes: UInt64

  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    router.registerHandler(
      forMethod: Gradwatch_V1_QueryService.Method.GetServerInfo.descriptor,
      deserializer: ProtobufDeserializer<Gradwatch_V1_GetServerInfoRequest>(),
      serializer: ProtobufSerializer<Gradwatch_V1_GetServerInfoResponse>()
    ) { [maximumMessageBytes] _, _ in
      var response = Gradwatch_V1_GetServerInfoResponse()
      response.limits.maximumMessageBytes = maximumMessageBytes
      return StreamingServerResponse(single: ServerResponse(message: response))
    }
  }
}

/// Runs a fake collector and lends a transport to it.
func withFakeCollector<Value: Sendable>(
  _ collector: FakeCollector,
  maximumMessageBytes: UInt64? = nil,
  _ body: @Sendable (InProcessTransport.Client) async throws -> Value
) async throws -> Value {
  let transport = InProcessTransport()
  var services: [any RegistrableRPCService] = [collector]
  if let maximumMessageBytes {
    services.append(FakeServerInfo(maximumMessageBytes: maximumMessageBytes))
  }
  let server = GRPCServer(transport: transport.server, services: services)
  return try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await server.serve() }
    do {
      let value = try await body(transport.client)
      server.beginGracefulShutdown()
      return value
    } catch {
      server.beginGracefulShutdown()
      throw error
    }
  }
}
