package import Telemetry

/// What one telemetry stream still has to tell its client.
///
/// A pure value: the reading side and the committer say what happened, the writing side takes what is to be
/// sent. Its size is bounded whatever the client does: acks collapse into the newest, a gap is told once,
/// and ``hasCredit`` stops the reading side while refusals or reports pile up.
package struct StreamOutbox: Sendable {
  /// What to send next.
  package enum Event: Equatable, Sendable {
    /// All up to `sequence` is durable; `refusals` are new.
    case ack(sequence: UInt64, refusals: [Refusal])
    /// Go back to `expected`.
    case gap(expected: UInt64, found: UInt64)
  }

  /// A report that was not accepted.
  package struct Refusal: Equatable, Sendable {
    package var sequence: UInt64
    package var error: TelemetryError

    package init(sequence: UInt64, error: TelemetryError) {
      self.sequence = sequence
      self.error = error
    }
  }

  /// Why the stream ends.
  package enum Ending: Sendable {
    /// The client has sent all that it wants to.
    case clientDone
    /// After what was accepted is acked, this error ends it.
    case failed(any Error)
  }

  private let credits: UInt64
  /// The last sequence number that was accepted or refused on this stream or before it.
  private var taken: UInt64
  private var durable: UInt64
  private var acked: UInt64
  /// A report is being taken, of which nobody knows yet what becomes of it.
  private var isTaking = false
  /// Nothing more becomes durable.
  private var isAbandoned = false
  private var wantsAck = false
  private var refusals: [Refusal] = []
  private var gap: (expected: UInt64, found: UInt64)?
  private var toldGap: UInt64?
  private var ending: Ending?

  /// Starts where the producer's durable reports end.
  package init(durable: UInt64, credits: Int) {
    self.credits = UInt64(credits)
    taken = durable
    self.durable = durable
    acked = durable
  }

  /// Whether the reading side may take another report.
  package var hasCredit: Bool {
    taken < durable + credits && refusals.count < Int(credits)
  }

  /// Whether the stream is ending, so that nothing may be accepted any more.
  package var isEnding: Bool { ending != nil }

  /// Whether it ends because of an error.
  package var hasFailed: Bool {
    if case .failed = ending { true } else { false }
  }

  /// A report is about to be taken: until ``took()`` the stream does not finish.
  ///
  /// - Returns: Whether it may be, for the stream is not ending: its last ack may be on its way.
  package mutating func take() -> Bool {
    isTaking = !isEnding
    return isTaking
  }

  /// The report that was being taken was, or was not; what became of it is told as well.
  package mutating func took() { isTaking = false }

  /// A report was accepted; it may be durable already, or lost.
  package mutating func accepted(_ sequence: UInt64) {
    toldGap = nil
    if !isAbandoned { taken = Swift.max(taken, sequence) }
  }

  /// A report was refused.
  package mutating func refused(_ sequence: UInt64, _ error: TelemetryError) {
    accepted(sequence)
    refusals.append(Refusal(sequence: sequence, error: error))
  }

  /// A report came again: its ack may have been lost.
  package mutating func duplicate() { wantsAck = true }

  /// A report came too early.
  package mutating func gapFound(expected: UInt64, found: UInt64) {
    guard toldGap != expected else { return }
    toldGap = expected
    gap = (expected, found)
  }

  /// All up to `sequence` is durable.
  package mutating func becameDurable(_ sequence: UInt64) { durable = Swift.max(durable, sequence) }

  /// The stream ends; the first reason counts, but a failure overrides a client that was done.
  package mutating func end(_ reason: Ending) {
    switch (ending, reason) {
    case (nil, _), (.clientDone, .failed): ending = reason
    default: break
    }
  }

  /// A report could not be made durable: nothing more will be, so the stream need not wait for it.
  package mutating func abandon(_ error: any Error) {
    isAbandoned = true
    taken = durable
    ending = .failed(error)
  }

  /// What became durable and was told to be accepted, or refused: before that it waits.
  private var settled: UInt64 { Swift.min(durable, taken) }

  private var owesAck: Bool { settled > acked || wantsAck || !refusals.isEmpty }

  /// Whether there is something to send, or the stream has finished.
  package var hasNews: Bool { owesAck || gap != nil || finished != nil }

  /// Takes what is to be sent, in order.
  package mutating func takeEvents() -> [Event] {
    var events: [Event] = []
    if owesAck {
      events.append(.ack(sequence: settled, refusals: refusals))
      acked = settled
      wantsAck = false
      refusals = []
    }
    if let gap {
      events.append(.gap(expected: gap.expected, found: gap.found))
      self.gap = nil
    }
    return events
  }

  /// How the stream ended, once all that was accepted is durable and told.
  package var finished: Ending? {
    guard !isTaking, acked == taken, refusals.isEmpty, gap == nil else { return nil }
    return ending
  }
}
