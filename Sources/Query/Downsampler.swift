public import RunStore

/// Reduces a series to at most so many points without losing a spike or a NaN.
///
/// The range of steps is cut into equal parts; each part that has measurements gives one point with their
/// minimum, maximum, mean, last value and the number of non-finite ones. Memory follows the number of
/// points, not the series' length.
public struct Downsampler: Sendable {
  private let parts: StepParts
  private var points = SeriesPoints()
  private var part: UInt64?
  private var sum = 0.0
  private var finite: UInt64 = 0

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
      for (step, value) in zip(slice.steps, slice.values) { add(step: step, value: value) }
    case .points(let points):
      for index in points.steps.indices { add(points, index) }
    }
  }

  /// Takes the next measurement; steps ascend and are in the range.
  public mutating func add(step: UInt64, value: Double) {
    let index = open(step: step, last: value)
    points.lastSteps[index] = step
    points.last[index] = value
    points.count[index] += 1
    guard value.isFinite else {
      points.nonFiniteCount[index] += 1
      return
    }
    // `minimum` and `maximum` give the other operand for NaN, which is how a point begins.
    points.min[index] = .minimum(points.min[index], value)
    points.max[index] = .maximum(points.max[index], value)
    sum += value
    finite += 1
  }

  private mutating func add(_ finer: SeriesPoints, _ place: Int) {
    let index = open(step: finer.steps[place], last: finer.last[place])
    points.lastSteps[index] = finer.lastSteps[place]
    points.last[index] = finer.last[place]
    points.count[index] += finer.count[place]
    points.nonFiniteCount[index] += finer.nonFiniteCount[place]
    let measured = finer.count[place] - finer.nonFiniteCount[place]
    guard measured > 0 else { return }
    points.min[index] = .minimum(points.min[index], finer.min[place])
    points.max[index] = .maximum(points.max[index], finer.max[place])
    sum += finer.mean[place] * Double(measured)
    finite += measured
  }

  /// The point for a step, which is begun if there is none.
  private mutating func open(step: UInt64, last: Double) -> Int {
    let part = parts.index(of: step)
    if part != self.part {
      closePoint()
      self.part = part
      points.steps.append(step)
      points.lastSteps.append(step)
      points.min.append(.nan)
      points.max.append(.nan)
      points.mean.append(.nan)
      points.last.append(last)
      points.count.append(0)
      points.nonFiniteCount.append(0)
    }
    return points.steps.count - 1
  }

  /// The points so far; the downsampler is spent.
  public consuming func finish() -> SeriesPoints {
    closePoint()
    return points
  }

  private mutating func closePoint() {
    guard let index = points.mean.indices.last else { return }
    if finite > 0 {
      // A sum of finite values may overflow; the mean of what lies between two bounds lies there too.
      let mean = sum / Double(finite)
      points.mean[index] = Swift.min(Swift.max(mean, points.min[index]), points.max[index])
    }
    sum = 0
    finite = 0
  }
}
