import GRPCCore
import Ingest
import Query
import RunStore
import SwiftProtobuf
import Synchronization
import Telemetry
import TelemetryWire

/// One open telemetry stream: a task that reads reports and a task that writes acks and alerts.
///
/// The two share only ``StreamOutbox`` under a lock, and two signals. However the stream ends, what was
/// accepted becomes durable and is acked first, if the client still listens.
final class TelemetryStream: Sendable {
  private struct State {
    var outbox: StreamOutbox?
    var openedMessage: Gradwatch_V1_StreamOpened?
    var alerts: (run: RunID, after: AlertCursor)?
    /// About how much memory the largest report holds that has come.
    var reportBytes: Int?
    /// Why the stream failed before it was open.
    var failure: (any Error)?
  }

  private let collector: Collector
  private let state = Mutex(State())
  /// Something is to be sent.
  private let outgoing = Signal()
  /// The reading side may go on.
  private let credit = Signal()

  init(collector: Collector) { self.collector = collector }

  /// Serves the stream until it ends.
  func serve(
    _ requests: RPCAsyncSequence<Gradwatch_V1_StreamTelemetryRequest, any Error>,
    _ writer: RPCWriter<Gradwatch_V1_StreamTelemetryResponse>
  ) async throws {
    let listener = collector.feed.listen { [outgoing] in outgoing.raise() }
    defer { collector.feed.end(listener) }
    try await withRPCCancellationHandler {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await self.read(requests) }
        defer { group.cancelAll() }
        try await self.write(to: writer)
      }
    } onCancelRPC: {
      // The collector shuts down, or the client is gone; then the next write fails by itself.
      self.end(Failure.shuttingDown.status)
    }
  }

  // MARK: Reading

  private func read(
    _ requests: RPCAsyncSequence<Gradwatch_V1_StreamTelemetryRequest, any Error>
  ) async {
    do {
      var messages = requests.makeAsyncIterator()
      guard case .open(let open)? = try await messages.next()?.message else {
        throw Failure.firstMessage.status
      }
      let producer = try await collector.producers.producer(
        try ProducerID(open.producerID),
        of: try RunID(open.runID)
      )
      let claim = producer.claim { [weak self] reason in self?.end(Failure.status(of: reason)) }
      defer { producer.release(claim) }
      try await self.open(open, producer)
      while let request = try await messages.next() {
        guard case .report(let report)? = request.message else {
          throw Failure.notAReport.status
        }
        guard try await take(report, producer, claim) else { return }
      }
      state.withLock { $0.outbox?.end(.clientDone) }
      outgoing.raise()
    } catch {
      end(Failure.status(of: error))
    }
  }

  private func open(
    _ open: Gradwatch_V1_StreamOpen,
    _ producer: LiveProducer
  ) async throws {
    // What an older stream had accepted is settled first, so that the client resumes at one number; a unary call may go on
    // meanwhile, and what it has accepted since is not durable yet.
    var last = producer.last
    repeat {
      last = producer.last
      await collector.committer.flush()
    } while producer.last.sequence != last.sequence
    guard !producer.isBroken else { throw Failure.shuttingDown.status }
    let cursor = collector.feed.last
    let after =
      open.hasAlertCursor
      ? try await collector.resumable(AlertCursor(wire: open.alertCursor, field: "alert_cursor"))
      : cursor
    state.withLock { state in
      state.outbox = StreamOutbox(
        durable: last.sequence,
        credits: collector.options.streamCredits
      )
      state.openedMessage = .with {
        $0.lastSequence = last.sequence
        if let step = last.step { $0.lastStep = step }
        $0.credits = UInt32(self.credits(state))
        $0.alertCursor = cursor.rawValue
      }
      if open.wantAlerts { state.alerts = (producer.run, after) }
    }
    outgoing.raise()
  }

  /// Takes one report; returns whether the stream goes on.
  private func take(
    _ wire: Gradwatch_V1_StepReport,
    _ producer: LiveProducer,
    _ claim: LiveProducer.Claim
  ) async throws -> Bool {
    while true {
      let (hasCredit, isEnding) = state.withLock {
        ($0.outbox?.hasCredit ?? true, $0.outbox?.isEnding ?? false)
      }
      if isEnding || Task.isCancelled { return false }
      if hasCredit { break }
      await credit.wait()
    }
    let arriving = try ArrivingReport(wire: wire)
    await collector.committer.reserve(arriving.bytes)
    let sequence = arriving.sequence
    // The stream may have been ended while room was waited for.
    let isOpen = state.withLock { state in
      state.reportBytes = Swift.max(state.reportBytes ?? 0, arriving.bytes)
      return state.outbox?.take() ?? true
    }
    guard isOpen else {
      collector.committer.release(arriving.bytes)
      return false
    }
    // Not under the lock: the commits that end meanwhile would wait for detection.
    let decision: Decision
    do {
      decision = try producer.receive(arriving, at: collector.now(), claim: claim) {
        [weak self] result in self?.completed(sequence, result)
      }
    } catch {
      state.withLock { $0.outbox?.took() }
      throw error
    }
    // Before anybody hears of it.
    collector.activity.count(decision)
    let hasNews = state.withLock { state in
      state.outbox?.took()
      switch decision {
      case .accept: state.outbox?.accepted(sequence)
      case .refuse(let error): state.outbox?.refused(sequence, error)
      case .duplicate: state.outbox?.duplicate()
      case .gap(let expected): state.outbox?.gapFound(expected: expected, found: sequence)
      }
      return state.outbox?.hasNews ?? false
    }
    if hasNews { outgoing.raise() }
    return true
  }

  private func completed(_ sequence: UInt64, _ result: Result<Void, RunStoreError>) {
    state.withLock { state in
      switch result {
      case .success: state.outbox?.becameDurable(sequence)
      case .failure(let error): state.outbox?.abandon(Failure.status(ofIngest: error))
      }
    }
    outgoing.raise()
    credit.raise()
  }

  private func end(_ error: any Error) {
    state.withLock { state in
      if state.outbox != nil {
        state.outbox?.end(.failed(error))
      } else if state.failure == nil {
        state.failure = error
      }
    }
    outgoing.raise()
    credit.raise()
  }

  /// How many reports the client may have under way, as things are now.
  private func credits(_ state: borrowing State) -> Int {
    collector.credits(reportBytes: state.reportBytes ?? CollectorOptions.presumedReportBytes)
  }

  // MARK: Writing

  private func write(
    to writer: RPCWriter<Gradwatch_V1_StreamTelemetryResponse>
  ) async throws {
    while true {
      let (opened, events, credits, ending, failure) = state.withLock { state in
        let opened = state.openedMessage
        state.openedMessage = nil
        let events = state.outbox?.takeEvents() ?? []
        return (opened, events, self.credits(state), state.outbox?.finished, state.failure)
      }
      if let failure { throw failure }
      if let opened { try await writer.write(.with { $0.opened = opened }) }
      // First, so that who holds the ack of a report has heard the alerts that it raised.
      try await writeAlerts(to: writer)
      for event in events {
        try await writer.write(.init(event, credits: UInt32(credits)))
      }
      credit.raise()
      switch ending {
      case .clientDone: return
      case .failed(let error): throw error
      case nil: await outgoing.wait()
      }
      try Task.checkCancellation()
    }
  }

  private func writeAlerts(
    to writer: RPCWriter<Gradwatch_V1_StreamTelemetryResponse>
  ) async throws {
    guard let (run, start) = state.withLock({ $0.alerts }) else { return }
    var cursor = start
    while true {
      try Task.checkCancellation()
      let (page, next) = try await collector.transitions(after: cursor)
      for stored in page where stored.transition.alert.run == run {
        try await writer.write(
          .with { $0.alert = .init(stored.transition, cursor: stored.cursor.rawValue) }
        )
      }
      cursor = next
      // Of what other runs raised, nothing is written that could fail.
      if page.isEmpty || state.withLock({ $0.outbox?.hasFailed ?? false }) { break }
    }
    state.withLock { $0.alerts?.after = cursor }
  }
}

extension Gradwatch_V1_StreamTelemetryResponse {
  fileprivate init(_ event: StreamOutbox.Event, credits: UInt32) {
    self.init()
    switch event {
    case .ack(let sequence, let refusals):
      ack.sequence = sequence
      ack.refusals = refusals.map { Gradwatch_V1_Refusal(sequence: $0.sequence, error: $0.error) }
      ack.credits = credits
    case .gap(let expected, let found):
      gap.expectedSequence = expected
      gap.foundSequence = found
    }
  }
}
