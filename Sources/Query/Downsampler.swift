public import RunStore

/// Reduces a series to at most so many points without losing a spike or a NaN.
///
/// The range of steps is cut into equal parts; each part that has measurements gives one point with their
/// minimum, maximum, mean, last value and the number of non-finite ones. Memory follows the number of
/// points, not the series' length.
public struct Downsampler: Sendable {
  private let parts: StepParts
  private let statistics: Set<SeriesPoints.Statistic>
  private var closed: [Point] = []
  /// The point of the part that is being filled, without measurements before the first.
  private var open = Point()

  private struct Point {
    var firstStep: UInt64 = 0
    /// The last step that belongs into the part.
    var end: UInt64 = 0
    var lastStep: UInt64 = 0
    var last = Double.nan
    /// Infinite until there is a finite value, because a number is neither less nor greater than NaN.
    var min = Double.infinity
    var max = -Double.infinity
    var sum = 0.0
    var count: UInt64 = 0
    var nonFiniteCount: UInt64 = 0

    mutating func add(step: UInt64, value: Double) {
      lastStep = step
      last = value
      count &+= 1
      guard value.isFinite else {
        nonFiniteCount &+= 1
        return
      }
      min = value < min ? value : min
      max = value > max ? value : max
      sum += value
    }

    mutating func add(_ slice: SeriesSlice, _ places: Range<Int>) {
      guard let end = places.last else { return }
      lastStep = slice.steps[end]
      last = slice.values[end]
      count &+= UInt64(places.count)
      // In variables of their own they stay in registers.
      var (least, greatest, total, others) = (min, max, sum, nonFiniteCount)
      slice.values.withUnsafeBufferPointer { values in
        for place in places {
          let value = values[place]
          guard value.isFinite else {
            others &+= 1
            continue
          }
          least = value < least ? value : least
          greatest = value > greatest ? value : greatest
          total += value
        }
      }
      (min, max, sum, nonFiniteCount) = (least, greatest, total, others)
    }

    mutating func add(_ finer: SeriesPoints, _ places: Range<Int>) {
      guard let end = places.last else { return }
      // A statistic that was not asked for is empty, and its turn is saved.
      count &+= finer.count.reduce(in: places, 0) { $0 &+ $1 }
      nonFiniteCount &+= finer.nonFiniteCount.reduce(in: places, 0) { $0 &+ $1 }
      // Points without a finite value have NaN, which is less or greater than nothing. Means stand in for bounds that were not
      // asked for, because a mean of all lies between them.
      let lows = finer.min.isEmpty ? finer.mean : finer.min
      let highs = finer.max.isEmpty ? finer.mean : finer.max
      if !lows.isEmpty { min = lows.reduce(in: places, min) { $1 < $0 ? $1 : $0 } }
      if !highs.isEmpty { max = highs.reduce(in: places, max) { $1 > $0 ? $1 : $0 } }
      if !finer.mean.isEmpty {
        for place in places {
          let measured = finer.count[place] - finer.nonFiniteCount[place]
          if measured > 0 { sum += finer.mean[place] * Double(measured) }
        }
      }
      lastStep = finer.lastSteps[end]
      last = finer.last.isEmpty ? .nan : finer.last[end]
    }

    private var isFinite: Bool { count > nonFiniteCount }

    /// The smallest finite value; NaN if there is none.
    var finiteMin: Double { isFinite ? min : .nan }

    /// The largest finite value; NaN if there is none.
    var finiteMax: Double { isFinite ? max : .nan }

    /// The mean of the finite values; NaN if there is none.
    var mean: Double {
      guard isFinite else { return .nan }
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
  ///   - statistics: What is asked of the points; the columns of the others stay empty.
  public init(
    steps: ClosedRange<UInt64>,
    maximumPoints: Int?,
    statistics: Set<SeriesPoints.Statistic> = Set(SeriesPoints.Statistic.allCases)
  ) {
    parts = StepParts(steps, maximumCount: maximumPoints)
    self.statistics = statistics
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
    open.add(step: step, value: value)
  }

  /// Closes the open point if a step is beyond its part, and opens that of the step's.
  @inline(__always)
  private mutating func begin(_ step: UInt64) {
    guard open.count == 0 || step > open.end else { return }
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
    var points = SeriesPoints()
    points.steps = closed.map(\.firstStep)
    points.lastSteps = closed.map(\.lastStep)
    points.count = closed.map(\.count)
    points.nonFiniteCount = closed.map(\.nonFiniteCount)
    if statistics.contains(.min) { points.min = closed.map(\.finiteMin) }
    if statistics.contains(.max) { points.max = closed.map(\.finiteMax) }
    if statistics.contains(.mean) { points.mean = closed.map(\.mean) }
    if statistics.contains(.last) { points.last = closed.map(\.last) }
    return points
  }

  private mutating func close() {
    guard open.count > 0 else { return }
    closed.append(open)
    open = Point()
  }
}

extension Array {
  /// What `combine` makes of some elements, which are known to be there.
  @inline(__always)
  fileprivate func reduce<Result>(
    in places: Range<Int>,
    _ start: Result,
    _ combine: (Result, Element) -> Result
  ) -> Result {
    precondition(places.upperBound <= count && places.lowerBound >= 0, "places out of range")
    return withUnsafeBufferPointer { elements in
      var result = start
      for place in places { result = combine(result, elements[place]) }
      return result
    }
  }
}
