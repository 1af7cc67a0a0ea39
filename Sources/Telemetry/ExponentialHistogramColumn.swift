/// The exponential histograms of many tensors at one step, laid end to end.
///
/// All have one scale. `counts` holds, tensor by tensor, the positive buckets and then the negative ones.
public struct ExponentialHistogramColumn: Hashable, Sendable {
  /// The tensors that have a histogram; empty if all have one, in registration order.
  public var tensorIDs: [UInt32] = []
  /// The resolution; 0 is one bucket an octave.
  ///
  /// Bucket i holds magnitudes from base^i up to, not including, base^(i+1), with base 2^(2^-scale).
  public var scale: Int32 = 0
  /// For each tensor, the number of elements that are 0 or subnormal.
  public var zeroCount: [UInt64] = []
  /// For each tensor, the index of its first positive bucket.
  public var positiveOffset: [Int32] = []
  /// For each tensor, the number of its positive buckets.
  public var positiveLength: [UInt32] = []
  /// For each tensor, the index of its first negative bucket.
  public var negativeOffset: [Int32] = []
  /// For each tensor, the number of its negative buckets.
  public var negativeLength: [UInt32] = []
  /// The counts of all buckets of all tensors.
  public var counts: [UInt64] = []

  /// Makes a column without histograms.
  public init() {}

  /// Adds one tensor's histogram at the end.
  ///
  /// - Precondition: The histogram has this column's scale.
  public mutating func append(_ histogram: ExponentialHistogram) {
    precondition(histogram.scale == scale, "a column has one scale")
    zeroCount.append(histogram.zeroCount)
    positiveOffset.append(histogram.positive.offset)
    positiveLength.append(UInt32(histogram.positive.counts.count))
    negativeOffset.append(histogram.negative.offset)
    negativeLength.append(UInt32(histogram.negative.counts.count))
    counts.append(contentsOf: histogram.positive.counts)
    counts.append(contentsOf: histogram.negative.counts)
  }

  /// The histograms, one a tensor, in the column's order.
  ///
  /// - Precondition: The lengths were checked: they add up to the number of counts.
  public var histograms: [ExponentialHistogram] {
    var start = 0
    return zeroCount.indices.map { index in
      let middle = start + Int(positiveLength[index])
      let end = middle + Int(negativeLength[index])
      defer { start = end }
      return ExponentialHistogram(
        scale: scale,
        zeroCount: zeroCount[index],
        positive: .init(offset: positiveOffset[index], counts: Array(counts[start..<middle])),
        negative: .init(offset: negativeOffset[index], counts: Array(counts[middle..<end]))
      )
    }
  }
}
