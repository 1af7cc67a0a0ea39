import Telemetry

/// Decides what a client does next for one run: register, stream, pause, finish.
///
/// A pure value without clock, socket or randomness. Its owner asks ``nextTask`` what to do, does
/// it, and says how it went; while a stream is open it asks ``nextMessage()`` what to send.
///
/// ```
///   registering ──▶ opening ──▶ open ──(all delivered, run closed)──▶ finished
///        ▲             ▲          │
///        └── pausing ──┴──────────┘ any failure that may pass         failed: from anywhere
/// ```
package struct DeliveryMachine: Sendable {
  /// What to do, apart from sending.
  package enum Task: Equatable, Sendable {
    /// Register the run, then say ``registered()``.
    case register
    /// Open a stream, for alerts after this cursor (`nil`: from now on).
    case openStream(alertCursor: Int64?)
    /// Do nothing for a random time up to `upTo`, and for `atLeast` before that; then say
    /// ``resumed()``.
    case pause(atLeast: Duration, upTo: Duration)
    /// Nothing is left to do.
    case stop
  }

  /// What to do on an open stream.
  package enum Message: Sendable {
    /// Send this report under this number.
    case report(sequence: UInt64, ReportQueue.Entry)
    /// Say that the run ended, then say ``runFinished()``.
    case finishRun(RunEnding)
    /// Close the sending side; the collector then sends what it has left, and ends the stream.
    case endStream
    /// Wait until something changes.
    case wait
  }

  private enum Phase: Equatable {
    case registering
    case opening
    case open
    /// The next phase is `then`, after the failure that `problem` tells of.
    case pausing(retryAfter: Duration, problem: String, then: AfterPause)
    case finished
    case failed(ClientError)
  }

  private enum AfterPause: Equatable {
    case registering
    case opening
  }

  private let limits: DeliveryLimits
  private var phase = Phase.registering
  private var queue: ReportQueue
  private var credits = 1
  /// Failures since a report was last acked, or the run registered.
  private var failures = 0
  private var gapsSinceAck = 0
  private var wasRegistered = false
  private var alertCursor: Int64?
  private var ending: RunEnding?
  private var isRunFinished = false
  private var totals = DeliveryStatus()

  /// Makes the machine of a run that is not registered.
  package init(limits: DeliveryLimits) {
    self.limits = limits
    queue = ReportQueue(maximumCount: limits.bufferedReports, maximumBytes: limits.bufferedBytes)
  }

  // MARK: The training side

  /// Takes a report; drops and counts it if the buffer is full, or the run ended or failed.
  package mutating func report(_ pending: PendingReport) {
    totals.reported += 1
    guard !isOver, ending == nil, queue.append(pending) else {
      totals.dropped += 1
      return
    }
  }

  /// Whether waiting makes no difference to what becomes of a report: it fits, or never will.
  package func isDecided(_ pending: PendingReport) -> Bool {
    isOver || ending != nil || queue.count == 0 || queue.hasRoom(for: pending.bytes)
  }

  /// Whether nothing that was reported waits for an ack, or nobody is there to give one.
  ///
  /// An attempt to reach the collector counts as somebody only until the first one failed, so that a loop
  /// which waits goes on without a collector.
  package var isSettled: Bool {
    if isOver || ending != nil || queue.count == queue.refusedCount { return true }
    return switch phase {
    case .open: false
    case .registering, .opening: failures > 0
    case .pausing, .finished, .failed: true
    }
  }

  /// Says that no report will follow; the first ending counts.
  package mutating func close(_ ending: RunEnding) {
    guard self.ending == nil else { return }
    self.ending = ending
    // What was a long pause is now all the time there is.
    failures = 0
  }

  /// What became of the reports so far.
  package var status: DeliveryStatus {
    var status = totals
    status.pending = UInt64(queue.count - queue.refusedCount)
    status.state =
      switch phase {
      case .registering, .opening: .connecting
      case .open: .streaming
      case .pausing(_, let problem, _): .waiting(problem)
      case .finished: .completed
      case .failed(let error): .failed(error)
      }
    return status
  }

  /// Whether nothing more will be sent.
  package var isOver: Bool {
    switch phase {
    case .finished, .failed: true
    default: false
    }
  }

  /// Whether the run was registered, or never will be.
  package var hasMadeContact: Bool { wasRegistered || isOver }

  // MARK: Tasks

  /// What to do now.
  package var nextTask: Task {
    switch phase {
    case .registering: .register
    // An open stream is its owner's own affair; asked again, it has ended without a word.
    case .opening, .open: .openStream(alertCursor: alertCursor)
    case .pausing(let retryAfter, _, _): .pause(atLeast: retryAfter, upTo: backoff)
    case .finished, .failed: .stop
    }
  }

  /// The run is registered.
  package mutating func registered() {
    guard phase == .registering else { return }
    wasRegistered = true
    phase = .opening
  }

  /// The pause is over.
  package mutating func resumed() {
    guard case .pausing(_, _, let next) = phase else { return }
    phase = next == .registering ? .registering : .opening
  }

  /// The registration or the stream failed.
  ///
  /// - Returns: Reports that were given up, to be released outside of a lock.
  package mutating func interrupted(_ problem: DeliveryProblem) -> [ReportQueue.Entry] {
    switch phase {
    case .registering, .opening, .open: break
    case .pausing, .finished, .failed: return []
    }
    failures += 1
    switch problem {
    case .permanent(let error): return fail(error)
    case .unknownRun(let message):
      alertCursor = nil
      isRunFinished = false
      phase = .pausing(retryAfter: .zero, problem: message, then: .registering)
    case .transient(let message, let retryAfter):
      if phase == .registering, limits.requiresCollector, !wasRegistered {
        return fail(.unreachable(message))
      }
      phase = .pausing(
        retryAfter: retryAfter,
        problem: message,
        then: phase == .registering ? .registering : .opening
      )
    }
    return []
  }

  /// The stream ended without an error.
  package mutating func streamEnded() {
    guard phase == .open || phase == .opening else { return }
    if ending != nil, queue.count == 0, isRunFinished {
      phase = .finished
    } else {
      _ = interrupted(.transient("the collector ended the stream"))
    }
  }

  /// Ends for good; what is in the queue counts as dropped.
  package mutating func fail(_ error: ClientError) -> [ReportQueue.Entry] {
    guard !isOver else { return [] }
    totals.dropped += UInt64(queue.count - queue.refusedCount)
    phase = .failed(error)
    return queue.removeAll()
  }

  /// Gives up what is not delivered, because the time for it is over.
  package mutating func giveUp() -> [ReportQueue.Entry] {
    let pending = queue.count - queue.refusedCount
    var problem = ""
    if case .pausing(_, let last, _) = phase { problem = last }
    return fail(.incomplete(pendingReports: pending, lastProblem: problem))
  }

  /// The longest pause after as many failures as there were: doubling, up to a limit.
  private var backoff: Duration {
    var longest = limits.initialBackoff
    for _ in 1..<max(failures, 1) where longest < limits.maximumBackoff { longest *= 2 }
    return min(longest, limits.maximumBackoff)
  }
}

extension DeliveryMachine {
  // MARK: The open stream

  /// The collector opened the stream.
  ///
  /// - Returns: Reports that turned out to be durable, to be released outside of a lock.
  package mutating func streamOpened(
    lastSequence: UInt64,
    credits: UInt32,
    alertCursor: Int64
  )
    -> [ReportQueue.Entry]
  {
    guard phase == .opening else { return [] }
    phase = .open
    gapsSinceAck = 0
    if forgetsAlerts(openedAt: alertCursor) { self.alertCursor = alertCursor }
    setCredits(credits)
    return count(queue.restart(after: lastSequence))
  }

  /// Whether what was heard of alerts counts for nothing when a stream opens at a cursor: an earlier copy of the collector's database
  /// was put back, or another one, and counts its transitions from there.
  package func forgetsAlerts(openedAt cursor: Int64) -> Bool {
    alertCursor.map { cursor < $0 } ?? true
  }

  /// What to do next on the open stream.
  package mutating func nextMessage() -> Message {
    guard phase == .open else { return .wait }
    if let (sequence, entry) = queue.takeNext(
      credits: credits,
      maximumBytes: limits.inFlightBytes
    ) {
      return .report(sequence: sequence, entry)
    }
    guard let ending, queue.count == 0 else { return .wait }
    if limits.finishesRun, !isRunFinished { return .finishRun(ending) }
    isRunFinished = true
    return .endStream
  }

  /// The collector knows that the run ended.
  package mutating func runFinished() { isRunFinished = true }

  /// A report under way is larger than a message may be, so that only its scalars are sent.
  package mutating func reduced(_ sequence: UInt64) {
    if let entry = queue.mark(sequence, .reduced), !entry.isReduced { totals.reduced += 1 }
  }

  /// The collector will never take a report.
  ///
  /// - Returns: The refusal to tell of; `nil` if it was told before, or the report is not under
  ///   way.
  package mutating func refused(_ sequence: UInt64, field: String, reason: String) -> Refusal? {
    guard let entry = queue.mark(sequence, .refused), !entry.isRefused else { return nil }
    let refusal = Refusal(step: entry.pending.report.step, field: field, reason: reason)
    totals.refused += 1
    totals.firstRefusal = totals.firstRefusal ?? refusal
    return refusal
  }

  /// All up to `sequence` is durable, or was refused.
  ///
  /// - Returns: The reports, to be released outside of a lock.
  /// - Throws: ``DeliveryProblem`` if the collector acks what was never sent; end the stream.
  package mutating func acknowledged(
    through sequence: UInt64,
    credits: UInt32
  ) throws(DeliveryProblem)
    -> [ReportQueue.Entry]
  {
    guard phase == .open else { return [] }
    setCredits(credits)
    guard let removed = queue.acknowledge(through: sequence) else {
      throw .transient("ack of report \(sequence): expected one of a report that was sent")
    }
    if !removed.isEmpty {
      failures = 0
      gapsSinceAck = 0
    }
    return count(removed)
  }

  /// A report was skipped: go back.
  ///
  /// - Throws: ``DeliveryProblem`` if that number is not under way, or if going back did not help;
  ///   end the stream.
  package mutating func gapFound(expected: UInt64) throws(DeliveryProblem) {
    guard phase == .open else { return }
    gapsSinceAck += 1
    guard gapsSinceAck <= Self.maximumGaps, queue.goBack(to: expected) else {
      throw .transient("sequence gap: report \(expected) expected, and sent before")
    }
  }

  /// Gaps in a row, without an ack between them, before a stream is given up.
  static let maximumGaps = 3

  /// Whether a transition is a new one; it is not asked for again.
  package mutating func alertArrived(cursor: Int64) -> Bool {
    guard cursor > alertCursor ?? .min else { return false }
    alertCursor = cursor
    return true
  }

  private mutating func setCredits(_ credits: UInt32) {
    // With 0 nothing could be sent, and so nothing acked, ever again.
    self.credits = max(1, Int(credits))
  }

  /// Counts what the collector made durable.
  private mutating func count(_ removed: [ReportQueue.Entry]) -> [ReportQueue.Entry] {
    totals.delivered += UInt64(removed.count { !$0.isRefused })
    return removed
  }
}
