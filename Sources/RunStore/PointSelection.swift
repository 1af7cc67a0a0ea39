public import Telemetry

/// One metric of some tensors or layers, as one producer reported it, no finer than need be.
public struct PointSelection: Sendable, Equatable {
  /// The run.
  public var run: RunID
  /// The producer.
  public var producer: ProducerID
  /// The metric; ``Telemetry/Metric/subject`` says whether ``indices`` are tensors' or layers'.
  public var metric: Metric
  /// The indices of the tensors or layers in the model, each once, in any order.
  public var indices: [UInt32]
  /// The steps, both ends included.
  public var steps: ClosedRange<UInt64>
  /// The most steps that a point may span, from its first to its last, both included; 1: measurements only.
  public var maximumSpan: UInt64
  /// What is wanted of points: the other columns of points that span steps are empty, which saves reading them.
  public var statistics: SeriesPoints.Statistics

  /// Makes a selection.
  public init(
    run: RunID,
    producer: ProducerID,
    metric: Metric,
    indices: [UInt32],
    steps: ClosedRange<UInt64>,
    maximumSpan: UInt64,
    statistics: SeriesPoints.Statistics = .all
  ) {
    self.run = run
    self.producer = producer
    self.metric = metric
    self.indices = indices
    self.steps = steps
    self.maximumSpan = maximumSpan
    self.statistics = statistics
  }
}
