public import Telemetry

/// One metric of the step as a whole, as one producer reported it, no finer than need be.
public struct StepSeriesSelection: Sendable, Equatable {
  /// The run.
  public var run: RunID
  /// The producer.
  public var producer: ProducerID
  /// The metric.
  public var metric: StepMetric
  /// The steps, both ends included.
  public var steps: ClosedRange<UInt64>
  /// The most steps that a point may be of, from first to last, both included; 1: every measurement.
  public var maximumSpan: UInt64

  /// Selects a metric.
  public init(
    run: RunID,
    producer: ProducerID,
    metric: StepMetric,
    steps: ClosedRange<UInt64>,
    maximumSpan: UInt64
  ) {
    self.run = run
    self.producer = producer
    self.metric = metric
    self.steps = steps
    self.maximumSpan = maximumSpan
  }
}
