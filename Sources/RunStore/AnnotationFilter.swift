public import Telemetry

/// Which annotations of a run are wanted.
public struct AnnotationFilter: Sendable, Equatable {
  /// The run.
  public var run: RunID
  /// Only those of this producer; `nil`: of all.
  public var producer: ProducerID?
  /// Only those of these steps, both ends included.
  public var steps: ClosedRange<UInt64>

  /// Makes a filter, of all producers and steps unless told otherwise.
  public init(
    run: RunID,
    producer: ProducerID? = nil,
    steps: ClosedRange<UInt64> = 0...Step.maximum
  ) {
    self.run = run
    self.producer = producer
    self.steps = steps
  }
}
