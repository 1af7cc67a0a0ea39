public import Telemetry

/// An annotation, and where it stands.
public struct StoredAnnotation: Sendable, Hashable {
  /// The producer that sent it.
  public var producer: ProducerID
  /// The step that it is of.
  public var step: UInt64
  /// When its report arrived, by the collector's clock.
  public var receivedAt: WallTime
  /// What was done.
  public var annotation: StepAnnotation

  /// Makes an entry.
  public init(
    producer: ProducerID,
    step: UInt64,
    receivedAt: WallTime,
    annotation: StepAnnotation
  ) {
    self.producer = producer
    self.step = step
    self.receivedAt = receivedAt
    self.annotation = annotation
  }
}
