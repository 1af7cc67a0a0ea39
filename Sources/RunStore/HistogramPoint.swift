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

  /// Makes a point of histograms that were merged.
  public init(
    firstStep: UInt64,
    lastStep: UInt64,
    mergedCount: UInt64,
    histogram: GradientHistogram
  ) {
    self.firstStep = firstStep
    self.lastStep = lastStep
    self.mergedCount = mergedCount
    self.histogram = histogram
  }

  /// Makes a point of one histogram.
  public init(step: UInt64, histogram: GradientHistogram) {
    firstStep = step
    lastStep = step
    mergedCount = 1
    self.histogram = histogram
  }

  /// Adds the sum of later histograms, if this point is exponential too; returns whether it was added.
  mutating func merge(
    _ other: ExponentialHistogramView,
    count: Int,
    lastStep step: UInt64
  ) -> Bool {
    guard case .exponential(var sum) = histogram else { return false }
    // So that the sum is nobody else's, and grows where it is.
    histogram = .exponential(ExponentialHistogram())
    sum.merge(other)
    histogram = .exponential(sum)
    lastStep = step
    // Bytes that were read back may say anything.
    mergedCount &+= UInt64(count)
    return true
  }

  /// Adds later histograms, if they are of the same form (and, if explicit, have the same bounds).
  ///
  /// - Returns: Whether they were added; if not, they belong into a point of their own.
  public mutating func merge(_ other: HistogramPoint) -> Bool {
    if case .exponential(let addition) = other.histogram, case .exponential(var sum) = histogram {
      // So that the sum is nobody else's, and grows where it is.
      histogram = .exponential(ExponentialHistogram())
      sum.merge(addition)
      histogram = .exponential(sum)
    } else if case .explicit(let addition) = other.histogram, case .explicit(var sum) = histogram,
      sum.bounds == addition.bounds
    {
      for (index, count) in addition.counts.enumerated() { sum.counts[index] &+= count }
      histogram = .explicit(sum)
    } else {
      return false
    }
    lastStep = other.lastStep
    mergedCount &+= other.mergedCount
    return true
  }
}
