public import Telemetry

/// The histograms of one tensor over a range of steps, merged.
public struct HistogramPoint: Sendable, Hashable {
  /// The first step that has a histogram.
  public var firstStep: UInt64
  /// The last step that has one.
  public var lastStep: UInt64
  /// How many were merged.
  public var mergedCount: UInt64
  /// Their sum, in the form in which the client took them.
  public var histogram: GradientHistogram

  /// Makes a point of one histogram.
  public init(step: UInt64, histogram: GradientHistogram) {
    firstStep = step
    lastStep = step
    mergedCount = 1
    self.histogram = histogram
  }

  /// Adds a later histogram, if it is of the same form (and, if explicit, has the same bounds).
  ///
  /// - Returns: Whether it was added; if not, it belongs into a point of its own.
  mutating func merge(step: UInt64, _ other: GradientHistogram) -> Bool {
    switch (histogram, other) {
    case (.exponential(var sum), .exponential(let other)):
      sum.merge(other)
      histogram = .exponential(sum)
    case (.explicit(var sum), .explicit(let other)) where sum.bounds == other.bounds:
      for (index, count) in other.counts.enumerated() { sum.counts[index] &+= count }
      histogram = .explicit(sum)
    default: return false
    }
    lastStep = step
    mergedCount += 1
    return true
  }
}
