/// How a run's reports are buffered and sent.
///
/// The defaults suit a training loop. Nothing here makes training wait or fail, except for
/// ``requiresCollector`` at the start and ``flushTimeout`` at the end.
public struct RunOptions: Sendable {
  /// Whether a run without a collector must not begin.
  ///
  /// The first registration then has one attempt, and
  /// ``withRun(transport:registration:options:isolation:body:)`` throws if it fails. By default
  /// registration is tried again and again in the background, while reports are buffered.
  public var requiresCollector = false
  /// Reports that may wait, sent or not, for their acks; what does not fit is dropped and counted.
  public var maximumBufferedReports = 65_536
  /// Bytes of reports that may wait, as in ``maximumBufferedReports``.
  public var maximumBufferedBytes = 64 << 20
  /// Bytes of reports that may be sent and not acked, besides the collector's own limit on their
  /// number.
  public var maximumInFlightBytes = 8 << 20
  /// The largest message that is sent, in bytes, or what the collector says if that is less; of a
  /// larger report only the scalars are sent.
  ///
  /// gRPC ends the stream of a larger message without a word, each time anew.
  public var maximumMessageBytes = 32 << 20
  /// How long the end of a run may take: reports still in the buffer, and the end itself.
  ///
  /// Longer than the transport takes to notice a dead connection (its keepalive's time and timeout): or what was sent into that last is
  /// lost. Have the transport ping without calls too, or it stops after the registration.
  public var flushTimeout = Duration.seconds(30)
  /// How long one call that registers or ends a run may take.
  public var callTimeout = Duration.seconds(10)
  /// The longest pause after one failure, which doubles with each further one.
  ///
  /// The pause itself is drawn evenly between 0 and that, so that a thousand jobs don't come back
  /// in the same instant.
  public var initialBackoff = Duration.milliseconds(200)
  /// The longest pause at all.
  public var maximumBackoff = Duration.seconds(5)
  /// Whether this run's alerts are wanted.
  public var wantsAlerts = true
  /// Alert transitions, and refusals, that wait to be taken; the newest are kept.
  public var alertCapacity = 1024
  /// Whether the end of this process is the end of the run; `nil`: if its rank is 0 or unknown.
  public var finishesRun: Bool?
  /// Waiting and chance, so that a test can do without both.
  package var timing = Timing()

  /// Makes the defaults.
  public init() {}
}

/// Waiting and chance.
package struct Timing: Sendable {
  /// Waits; throws if the task is cancelled.
  package var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
  /// A number from 0 up to 1, for a pause's length.
  package var fraction: @Sendable () -> Double = { Double.random(in: 0..<1) }

  /// The clock and the generator of this machine.
  package init() {}
}
