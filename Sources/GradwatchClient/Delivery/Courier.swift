import GRPCCore
import Synchronization
import Telemetry
import TelemetryWire

/// Does what a ``DeliveryMachine`` decides, over gRPC.
///
/// The machine is shared by the training loop, which reports, and by the two sides of the open
/// stream. It is locked for the time of a list operation only; what it lets go of is released after
/// the lock.
final class Courier: Sendable {
  private struct State {
    var machine: DeliveryMachine
    /// Wakes the sending side of the open stream.
    var wake: AsyncStream<Void>.Continuation?
    /// The largest message that may be sent.
    var maximumMessageBytes: Int
    /// Wake those that wait for room in the buffer, or for acks.
    var waiting: [UInt64: AsyncStream<Void>.Continuation] = [:]
    var lastWaiting: UInt64 = 0
    /// The run's alerts that are not resolved, as far as was heard.
    var openAlerts: [AlertID: Alert] = [:]
  }

  private let registration: RunRegistration
  private let options: RunOptions
  private let alerts: AsyncStream<AlertTransition>.Continuation
  private let refusals: AsyncStream<Refusal>.Continuation
  private let droppedAlerts = Atomic<UInt64>(0)
  private let state: Mutex<State>
  private let closing = AsyncStream.makeStream(of: Never.self, bufferingPolicy: .bufferingNewest(1))
  private let contacting = AsyncStream.makeStream(
    of: Never.self,
    bufferingPolicy: .bufferingNewest(1)
  )

  init(
    registration: RunRegistration,
    options: RunOptions,
    alerts: AsyncStream<AlertTransition>.Continuation,
    refusals: AsyncStream<Refusal>.Continuation
  ) {
    self.registration = registration
    self.options = options
    self.alerts = alerts
    self.refusals = refusals
    var limits = DeliveryLimits()
    limits.bufferedReports = options.maximumBufferedReports
    limits.bufferedBytes = options.maximumBufferedBytes
    limits.inFlightBytes = options.maximumInFlightBytes
    limits.initialBackoff = options.initialBackoff
    limits.maximumBackoff = options.maximumBackoff
    limits.requiresCollector = options.requiresCollector
    limits.finishesRun = options.finishesRun ?? (registration.producer.rank ?? 0 == 0)
    state = Mutex(
      State(
        machine: DeliveryMachine(limits: limits),
        maximumMessageBytes: options.maximumMessageBytes
      )
    )
  }

  // MARK: The training side

  func report(_ report: PendingReport) {
    let wake = state.withLock { state in
      state.machine.report(report)
      return state.wake
    }
    wake?.yield()
  }

  /// Takes a report once there is room for it, or there never will be, or the task is cancelled.
  func reportWhenRoom(_ report: PendingReport) async {
    await wait { $0.isDecided(report) }
    self.report(report)
  }

  /// Returns once all that was reported is acked, or nobody is there to do so, or the task is cancelled.
  func settle() async { await wait { $0.isSettled } }

  /// Returns once the machine meets a condition, or the task is cancelled.
  private func wait(until isMet: (DeliveryMachine) -> Bool) async {
    // Only "it may be met" is told through it, so one place is enough.
    let (changes, wake) = AsyncStream.makeStream(
      of: Void.self,
      bufferingPolicy: .bufferingNewest(1)
    )
    let place: UInt64? = state.withLock { state in
      guard !isMet(state.machine) else { return nil }
      state.lastWaiting += 1
      state.waiting[state.lastWaiting] = wake
      return state.lastWaiting
    }
    guard let place else { return }
    for await _ in changes where state.withLock({ isMet($0.machine) }) { break }
    state.withLock { _ = $0.waiting.removeValue(forKey: place) }
  }

  /// The run's alerts that are not resolved, as far as was heard, in the order in which they began.
  var openAlerts: [Alert] {
    state.withLock { Array($0.openAlerts.values) }
      .sorted { ($0.firstStep, $0.id.rawValue) < ($1.firstStep, $1.id.rawValue) }
  }

  func close(_ ending: RunEnding) {
    let (wake, waiting) = state.withLock { state in
      state.machine.close(ending)
      return (state.wake, state.waiting)
    }
    wake?.yield()
    for place in waiting.values { place.yield() }
    closing.continuation.finish()
  }

  var status: DeliveryStatus {
    var status = state.withLock { $0.machine.status }
    status.droppedAlerts = droppedAlerts.load(ordering: .relaxed)
    return status
  }

  /// Returns once the run is registered, or never will be, or the task is cancelled.
  func contact() async { for await _ in contacting.stream {} }

  // MARK: The sending side

  private enum RunEvent {
    case delivered
    case connectionsEnded(String)
    case timeIsOver
  }

  /// Works until everything is delivered, or never will be, or the time for it after the end is
  /// over.
  func run<Transport: ClientTransport>(on client: GRPCClient<Transport>) async {
    await withTaskGroup(of: RunEvent.self) { group in
      group.addTask {
        do {
          try await client.runConnections()
          return .connectionsEnded("it was shut down")
        } catch { return .connectionsEnded("\(error)") }
      }
      group.addTask {
        await self.deliver(
          through: Gradwatch_V1_IngestService.Client(wrapping: client),
          asking: Gradwatch_V1_QueryService.Client(wrapping: client)
        )
        return .delivered
      }
      group.addTask {
        for await _ in self.closing.stream {}
        try? await self.options.timing.sleep(self.options.flushTimeout)
        return .timeIsOver
      }
      switch await group.next() {
      case .connectionsEnded(let problem): change { $0.fail(.transportEnded(problem)) }
      case .timeIsOver: change { $0.giveUp() }
      case .delivered, nil: break
      }
      client.beginGracefulShutdown()
      group.cancelAll()
    }
    contacting.continuation.finish()
    alerts.finish()
    refusals.finish()
  }

  private func deliver(
    through service: some Gradwatch_V1_IngestService.ClientProtocol & Sendable,
    asking query: some Gradwatch_V1_QueryService.ClientProtocol & Sendable
  ) async {
    while !Task.isCancelled {
      do {
        switch state.withLock({ $0.machine.nextTask }) {
        case .register:
          try await register(with: service)
          await learnLimit(from: query)
          note { $0.registered() }
        case .openStream(let cursor):
          try await stream(to: service, alertCursor: cursor)
          note { $0.streamEnded() }
        case .pause(let least, let most):
          try? await options.timing.sleep(least + most * options.timing.fraction())
          note { $0.resumed() }
        case .stop: return
        }
      } catch {
        change { $0.interrupted(DeliveryProblem(error)) }
      }
      if state.withLock({ $0.machine.hasMadeContact }) { contacting.continuation.finish() }
    }
  }

  private func register(
    with service: some Gradwatch_V1_IngestService.ClientProtocol & Sendable
  ) async throws {
    _ = try await service.registerRun(
      Gradwatch_V1_RegisterRunRequest(registration),
      options: callOptions
    )
  }

  /// Asks for the largest message that the collector takes; one that does not say keeps the default.
  private func learnLimit(
    from query: some Gradwatch_V1_QueryService.ClientProtocol & Sendable
  ) async {
    let info = try? await query.getServerInfo(.init(), options: callOptions)
    guard let limit = info?.limits.maximumMessageBytes, limit > 0 else { return }
    let bounded = Int(clamping: limit)
    state.withLock { $0.maximumMessageBytes = min(options.maximumMessageBytes, bounded) }
  }

  /// Streams until the stream ends, from either side.
  private func stream(
    to service: some Gradwatch_V1_IngestService.ClientProtocol & Sendable,
    alertCursor: Int64?
  ) async throws {
    // Only "something changed" is told through it, so one place is enough.
    let (changes, wake) = AsyncStream.makeStream(
      of: Void.self,
      bufferingPolicy: .bufferingNewest(1)
    )
    state.withLock { $0.wake = wake }
    defer { state.withLock { $0.wake = nil } }
    try await service.streamTelemetry { writer in
      try await writer.write(self.opening(after: alertCursor))
      for await _ in changes {
        guard try await self.send(to: writer, of: service) else { return }
      }
    } onResponse: { response in
      for try await message in response.messages { try self.receive(message, wake) }
    }
  }

  private func opening(after cursor: Int64?) -> Gradwatch_V1_StreamTelemetryRequest {
    var request = Gradwatch_V1_StreamTelemetryRequest()
    request.open.runID = registration.run.rawValue
    request.open.producerID = registration.producer.id.rawValue
    request.open.wantAlerts = options.wantsAlerts
    if let cursor { request.open.alertCursor = cursor }
    return request
  }

  /// Sends what may be sent now; returns whether more may follow.
  private func send(
    to writer: RPCWriter<Gradwatch_V1_StreamTelemetryRequest>,
    of service: some Gradwatch_V1_IngestService.ClientProtocol & Sendable
  ) async throws -> Bool {
    while true {
      let (next, limit) = state.withLock { ($0.machine.nextMessage(), $0.maximumMessageBytes) }
      switch next {
      case .report(let sequence, let entry):
        var message = Gradwatch_V1_StepReport(entry, sequence: sequence)
        if message.isReduced(to: limit, bound: entry.pending.bytes) {
          note { $0.reduced(sequence) }
        }
        var request = Gradwatch_V1_StreamTelemetryRequest()
        request.report = message
        try await writer.write(request)
      case .finishRun(let ending):
        do {
          try await finishRun(ending, with: service)
          note { $0.runFinished() }
        } catch {
          change { $0.interrupted(DeliveryProblem(error)) }
          throw error
        }
      case .endStream: return false
      case .wait: return true
      }
    }
  }

  private func finishRun(
    _ ending: RunEnding,
    with service: some Gradwatch_V1_IngestService.ClientProtocol & Sendable
  ) async throws {
    var request = Gradwatch_V1_FinishRunRequest()
    request.runID = registration.run.rawValue
    request.status = Gradwatch_V1_RunStatus(ending.status)
    request.reason = ending.reason
    _ = try await service.finishRun(request, options: callOptions)
  }

  private func receive(
    _ message: Gradwatch_V1_StreamTelemetryResponse,
    _ wake: AsyncStream<Void>.Continuation
  ) throws {
    switch message.event {
    case .opened(let opened):
      state.withLock { state in
        if state.machine.forgetsAlerts(openedAt: opened.alertCursor) { state.openAlerts = [:] }
      }
      change {
        $0.streamOpened(
          lastSequence: opened.lastSequence,
          credits: opened.credits,
          alertCursor: opened.alertCursor
        )
      }
    case .ack(let ack): try receive(ack)
    case .gap(let gap):
      try state.withLock { state throws(DeliveryProblem) in
        try state.machine.gapFound(expected: gap.expectedSequence)
      }
    case .alert(let alert): receive(alert)
    // An event of a later version.
    case nil: break
    }
    wake.yield()
  }

  private func receive(_ ack: Gradwatch_V1_Ack) throws(DeliveryProblem) {
    for refusal in ack.refusals {
      let told = state.withLock {
        $0.machine.refused(refusal.sequence, field: refusal.field, reason: refusal.reason)
      }
      if let told { refusals.yield(told) }
    }
    try change { machine throws(DeliveryProblem) in
      try machine.acknowledged(through: ack.sequence, credits: ack.credits)
    }
  }

  private func receive(_ wire: Gradwatch_V1_AlertTransition) {
    guard state.withLock({ $0.machine.alertArrived(cursor: wire.cursor) }) else { return }
    // A severity or state of a later version can't be told.
    guard let transition = try? AlertTransition(wire: wire) else {
      droppedAlerts.add(1, ordering: .relaxed)
      return
    }
    let alert = transition.alert
    state.withLock { state in
      if alert.state == .resolved {
        state.openAlerts[alert.id] = nil
      } else if state.openAlerts.count < options.alertCapacity || state.openAlerts[alert.id] != nil
      {
        state.openAlerts[alert.id] = alert
      }
    }
    if case .dropped = alerts.yield(transition) { droppedAlerts.add(1, ordering: .relaxed) }
  }

  private var callOptions: CallOptions {
    var options = CallOptions.defaults
    options.timeout = self.options.callTimeout
    // The answer to a registration repeats the hyper-parameters, of which there may be 16 MiB, four times gRPC's default. The
    // transport takes its limit of an answer from the option for requests.
    options.maxRequestMessageBytes = 64 << 20
    options.maxResponseMessageBytes = 64 << 20
    return options
  }

  /// Tells the machine what happened.
  private func note(_ body: (inout DeliveryMachine) -> Void) {
    state.withLock { body(&$0.machine) }
  }

  /// Tells the machine what happened; what it returns is released after the lock.
  private func change<Failure: Error>(
    _ body: (inout DeliveryMachine) throws(Failure) -> [ReportQueue.Entry]
  ) throws(Failure) {
    let (released, waiting) = try state.withLock { state throws(Failure) in
      (try body(&state.machine), state.waiting)
    }
    for place in waiting.values { place.yield() }
    withExtendedLifetime(released) {}
  }
}
