/// What became of the reports so far.
///
/// `reported` is always the sum of `delivered`, `refused`, `dropped` and `pending`.
public struct DeliveryStatus: Equatable, Sendable {
  /// Where the delivery is in its life.
  public enum State: Equatable, Sendable {
    /// Speaks with the collector for the first time, or again.
    case connecting
    /// A stream is open.
    case streaming
    /// The last attempt failed for this reason; the next one follows by itself.
    case waiting(String)
    /// The run ended and everything was delivered, but for what was dropped or refused.
    case completed
    /// It ended before; nothing more will be sent.
    case failed(ClientError)
  }

  /// Where the delivery is.
  public var state = State.connecting
  /// Reports that the training loop handed over.
  public var reported: UInt64 = 0
  /// Reports that are durable in the collector.
  public var delivered: UInt64 = 0
  /// Reports that the collector refused.
  public var refused: UInt64 = 0
  /// Reports that were given up: the buffer was full, or the delivery had failed.
  public var dropped: UInt64 = 0
  /// Reports in the buffer, sent or not.
  public var pending: UInt64 = 0
  /// Reports of which only the scalars were sent, because all of it is larger than a message may
  /// be.
  public var reduced: UInt64 = 0
  /// The first report that was refused.
  public var firstRefusal: Refusal?
  /// Alert transitions that were lost because nobody took them from the run's sequence in time.
  public var droppedAlerts: UInt64 = 0

  /// Makes the status of a run that reported nothing yet.
  public init() {}
}
