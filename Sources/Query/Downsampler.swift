public import RunStore

/// Reduces a series to at most so many points without losing a spike or a NaN.
///
/// The range of steps is cut into equal parts; each part that has measurements gives one point with their
/// minimum, maximum, mean, last value and the number of non-finite ones. Memory follows the number of
/// points, not the series' length.
public struct Downsampler: Sendable {
  private let parts: StepParts
  private var points = SeriesPoints()
  private var open: Point?

  /// The point of the part that is being filled: by itself, because arrays that are written to at every measurement take longer
  /// than reading them.
  private struct Point {
    let firstStep: UInt64
    /// The last step that belongs into the part.
    let end: UInt64
    var lastStep: UInt64
    var last = Double.nan
    var min = Double.nan
    var max = Double.nan
    var sum = 0.0
    var count: UInt64 = 0
    var nonFiniteCount: UInt64 = 0

    mutating func add(step: UInt64, value: Double) {
      lastStep = step
      last = value
      count += 1
      guard value.isFinite else {
        nonFiniteCount += 1
        return
      }
      // `minimum` and `maximum` give the other operand for NaN, which is how a point begins.
      min = .minimum(min, value)
      max = .maximum(max, value)
      sum += value
    }

    mutating func add(_ finer: SeriesPoints, _ places: Range<Int>) {
      // A statistic that was not asked for is empty, and its turn is saved; sums in variables of their own stay in registers.
      var (all, others) = (count, nonFiniteCount)
      for place in places {
        all &+= finer.count[place]
        others &+= finer.nonFiniteCount[place]
      }
      (count, nonFiniteCount) = (all, others)
      // Of points without a finite value they are NaN, which changes nothing.
      if !finer.min.isEmpty { min = places.reduce(min) { .minimum($0, finer.min[$1]) } }
      if !finer.max.isEmpty { max = places.reduce(max) { .maximum($0, finer.max[$1]) } }
      if !finer.mean.isEmpty {
        var total = sum
        for place in places {
          let measured = finer.count[place] - finer.nonFiniteCount[place]
          if measured > 0 { total += finer.mean[place] * Double(measured) }
        }
        sum = total
      }
      guard let end = places.last else { return }
      lastStep = finer.lastSteps[end]
      last = finer.last.isEmpty ? .nan : finer.last[end]
    }

    /// The mean of the finite values; NaN if there is none.
    var mean: Double {
      guard count > nonFiniteCount else { return .nan }
      // A sum of finite values may overflow; the mean of what lies between two bounds lies there too.
      return Swift.min(Swift.max(sum / Double(count - nonFiniteCount), min), max)
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
    case .measurements(let slice):
      forEachPoint(of: slice.steps) { point, places in
        for place in places { point.add(step: slice.steps[place], value: slice.values[place]) }
      }
    case .points(let finer):
      forEachPoint(of: finer.steps) { point, places in point.add(finer, places) }
    }
  }

  /// Takes the next measurement; steps ascend and are in the range.
  public mutating func add(step: UInt64, value: Double) {
    var point = takePoint(for: step)
    point.add(step: step, value: value)
    open = point
  }

  /// Calls `change` with each point that some steps go to, and where these are.
  @inline(__always)
  private mutating func forEachPoint(
    of steps: [UInt64],
    _ change: (inout Point, Range<Int>) -> Void
  ) {
    var start = 0
    while start < steps.count {
      var point = takePoint(for: steps[start])
      var end = start + 1
      while end < steps.count, steps[end] <= point.end { end += 1 }
      change(&point, start..<end)
      open = point
      start = end
    }
  }

  /// The point for a step, which is begun if there is none.
  private mutating func takePoint(for step: UInt64) -> Point {
    if let open, step <= open.end { return open }
    close()
    return Point(firstStep: step, end: parts.end(of: step), lastStep: step)
  }

  /// The points so far; the downsampler is spent.
  public consuming func finish() -> SeriesPoints {
    close()
    return points
  }

  private mutating func close() {
    guard let point = open else { return }
    points.steps.append(point.firstStep)
    points.lastSteps.append(point.lastStep)
    points.min.append(point.min)
    points.max.append(point.max)
    points.mean.append(point.mean)
    points.last.append(point.last)
    points.count.append(point.count)
    points.nonFiniteCount.append(point.nonFiniteCount)
    open = nil
  }
}
