public import RunStore

/// Reduces a series to at most so many points without losing a spike or a NaN.
///
/// The range of steps is cut into equal parts; each part that has measurements gives one point with their
/// minimum, maximum, mean, last value and the number of non-finite ones. Memory follows the number of
/// points, not the series' length.
public struct Downsampler: Sendable {
  private let parts: StepParts
  private var closed = SeriesPoints()
  /// The point of the part that is being filled, without measurements before the first.
  private var open = Point()

  private struct Point {
    var firstStep: UInt64 = 0
    /// The last step that belongs into the part.
    var end: UInt64 = 0
    var lastStep: UInt64 = 0
    var sum = SeriesSum()

    mutating func add(_ slice: SeriesSlice, _ places: Range<Int>) {
      lastStep = slice.steps[places.upperBound - 1]
      sum.add(slice, places)
    }

    mutating func add(_ finer: SeriesPoints, _ places: Range<Int>) {
      lastStep = finer.lastSteps[places.upperBound - 1]
      sum.add(finer, places)
    }
  }

  /// The most steps that a point may span to be taken for a part's own: a quarter of a part, so that none reaches far into the next.
  public static func maximumSpan(steps: ClosedRange<UInt64>, maximumPoints: Int) -> UInt64 {
    Swift.max(1, StepParts(steps, maximumCount: maximumPoints).width / 4)
  }

  /// Makes a downsampler for the steps of a range.
  ///
  /// - Parameters:
  ///   - steps: The range, both ends included.
  ///   - maximumPoints: The most points to give, at least 1; `nil`: one a step.
  public init(steps: ClosedRange<UInt64>, maximumPoints: Int?) {
    parts = StepParts(steps, maximumCount: maximumPoints)
  }

  /// Takes what comes next in the series; steps ascend and are in the range.
  ///
  /// A point goes where its first step does; `lastSteps` says how far it reaches.
  public mutating func add(_ part: SeriesPart) {
    switch part {
    case .measurements(let slice): forEachPoint(of: slice.steps) { $0.add(slice, $1) }
    case .points(let finer): forEachPoint(of: finer.steps) { $0.add(finer, $1) }
    }
  }

  /// Takes the next measurement; steps ascend and are in the range.
  public mutating func add(step: UInt64, value: Double) {
    begin(step)
    open.lastStep = step
    open.sum.add(value)
  }

  /// Closes the open point if a step is beyond its part, and opens that of the step's.
  @inline(__always)
  private mutating func begin(_ step: UInt64) {
    guard open.sum.count == 0 || step > open.end else { return }
    close()
    open.firstStep = step
    open.end = parts.end(of: step)
  }

  /// Calls `change` with each point that some steps go to, and where these are.
  @inline(__always)
  private mutating func forEachPoint(
    of steps: [UInt64],
    _ change: (inout Point, Range<Int>) -> Void
  ) {
    var start = 0
    var length = 1
    while start < steps.count {
      begin(steps[start])
      // Most parts have as many steps as the one before, so that is where the search begins.
      var end = Swift.min(start + length, steps.count)
      while end > start + 1, steps[end - 1] > open.end { end -= 1 }
      while end < steps.count, steps[end] <= open.end { end += 1 }
      change(&open, start..<end)
      length = end - start
      start = end
    }
  }

  /// The points so far; the downsampler is spent.
  public consuming func finish() -> SeriesPoints {
    close()
    return closed
  }

  private mutating func close() {
    guard open.sum.count > 0 else { return }
    closed.steps.append(open.firstStep)
    closed.lastSteps.append(open.lastStep)
    closed.count.append(open.sum.count)
    closed.nonFiniteCount.append(open.sum.nonFiniteCount)
    closed.min.append(open.sum.finiteMin)
    closed.max.append(open.sum.finiteMax)
    closed.mean.append(open.sum.mean)
    closed.last.append(open.sum.last)
    open = Point()
  }
}
