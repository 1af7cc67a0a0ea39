import RunStore
import Telemetry

extension LossCourse {
  /// As many points as one of a rollup sums up: each reading of a part of the run goes about a level further down.
  private static let pointCount = 16

  /// Reads how the loss that is minimized went: the one called `loss`, else the one that was sent first.
  ///
  /// Time hardly follows the number of steps: what is looked for lies in one of some points, and only that one is looked at closer.
  ///
  /// `nil` if no step has a loss.
  ///
  /// - Parameter reader: The run.
  /// - Throws: ``QueryError/store(_:)`` if the store can't read.
  init?(of reader: RunReader) throws(QueryError) {
    guard let steps = reader.steps(within: 0...Step.maximum) else { return nil }
    // A client may give each step's loss another name: of all others only the first is kept.
    var other: String?
    let series = try reader.stepSeries(.loss, steps: steps, maximumPoints: Self.pointCount) {
      name in
      if other == nil { other = name }
      return name == NamedLoss.primaryName || name == other
    }
    let chosen = series.first { $0.name == NamedLoss.primaryName } ?? series.first
    guard let (name, points) = chosen, let last = points.last.last else { return nil }
    let best = points.min.filter { !$0.isNaN }.min()
    func earliest(
      where holds: (SeriesPoints, Int) -> Bool
    ) throws(QueryError) -> (step: UInt64, loss: Double)? {
      try Self.earliest(in: points, of: name, reader, where: holds)
    }
    // A rewind between two readings may take away what the first one saw.
    guard let first = try earliest(where: { _, _ in true }) else { return nil }
    self.first = first.loss
    self.last = last
    (bestStep, self.best) = try earliest { $0.min[$1] == best } ?? (nil, nil)
    firstNonFiniteStep = try earliest { $0.nonFiniteCount[$1] > 0 }?.step
  }

  /// The first loss for which something holds, which holds for a point if it does for one of its losses.
  private static func earliest(
    in points: SeriesPoints,
    of name: String,
    _ reader: RunReader,
    where holds: (SeriesPoints, Int) -> Bool
  ) throws(QueryError) -> (step: UInt64, loss: Double)? {
    guard let place = points.steps.indices.first(where: { holds(points, $0) }) else { return nil }
    let steps = points.steps[place]...points.lastSteps[place]
    guard steps.count > 1 else { return (steps.lowerBound, points.last[place]) }
    let finer = try reader.stepSeries(.loss, steps: steps, maximumPoints: pointCount) { $0 == name }
    return try earliest(in: finer.first?.points ?? SeriesPoints(), of: name, reader, where: holds)
  }
}
