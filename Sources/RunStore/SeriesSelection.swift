public import Telemetry

/// One metric of one tensor or layer, as one producer reported it.
public struct SeriesSelection: Sendable, Equatable {
  /// The run.
  public var run: RunID
  /// The producer.
  public var producer: ProducerID
  /// The metric; ``Telemetry/Metric/subject`` says whether ``index`` is a tensor's or a layer's.
  public var metric: Metric
  /// The index of the tensor or layer in the model.
  public var index: UInt32
  /// The steps, both ends included.
  public var steps: ClosedRange<UInt64>

  /// Makes a selection, of all steps unless told otherwise.
  public init(
    run: RunID,
    producer: ProducerID,
    metric: Metric,
    index: UInt32,
    steps: ClosedRange<UInt64> = 0...Step.maximum
  ) {
    self.run = run
    self.producer = producer
    self.metric = metric
    self.index = index
    self.steps = steps
  }
}
