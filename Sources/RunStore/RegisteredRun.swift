/// What a registration found or made.
public struct RegisteredRun: Sendable, Equatable {
  /// The run, after the registration.
  public var run: RunRecord
  /// The producer, with where its durable reports end.
  public var producer: ProducerRecord

  /// Makes the answer to a registration.
  public init(run: RunRecord, producer: ProducerRecord) {
    self.run = run
    self.producer = producer
  }
}
