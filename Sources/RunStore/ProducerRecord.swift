public import Telemetry

/// What the store knows of a producer: where its durable reports end.
public struct ProducerRecord: Sendable, Equatable {
  /// The producer.
  public var producer: Producer
  /// The sequence number of its last durable report, refused ones included; 0 before the first.
  public var lastSequence: UInt64
  /// The step of its last accepted report; `nil` before the first.
  public var lastStep: UInt64?
  /// When that arrived, by the collector's clock; `nil` before the first.
  public var lastReceivedAt: WallTime?

  /// Makes a record.
  public init(
    producer: Producer,
    lastSequence: UInt64 = 0,
    lastStep: UInt64? = nil,
    lastReceivedAt: WallTime? = nil
  ) {
    self.producer = producer
    self.lastSequence = lastSequence
    self.lastStep = lastStep
    self.lastReceivedAt = lastReceivedAt
  }
}
