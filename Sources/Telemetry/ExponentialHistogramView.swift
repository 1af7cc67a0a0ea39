/// An exponential histogram whose counts lie in somebody else's memory: valid during the call that it is given to.
package struct ExponentialHistogramView {
  /// The resolution: base 2^(2^-scale).
  package var scale: Int32
  /// The number of elements that are 0 or subnormal.
  package var zeroCount: UInt64
  /// The index of the first positive bucket.
  package var positiveOffset: Int32
  /// The positive buckets.
  package var positive: UnsafeBufferPointer<UInt64>
  /// The index of the first negative bucket.
  package var negativeOffset: Int32
  /// The negative buckets.
  package var negative: UnsafeBufferPointer<UInt64>

  /// Makes a view.
  package init(
    scale: Int32,
    zeroCount: UInt64,
    positiveOffset: Int32,
    positive: UnsafeBufferPointer<UInt64>,
    negativeOffset: Int32,
    negative: UnsafeBufferPointer<UInt64>
  ) {
    self.scale = scale
    self.zeroCount = zeroCount
    self.positiveOffset = positiveOffset
    self.positive = positive
    self.negativeOffset = negativeOffset
    self.negative = negative
  }
}

extension ExponentialHistogram {
  /// Copies a histogram out of the memory that it lies in.
  package init(_ view: ExponentialHistogramView) {
    self.init(
      scale: view.scale,
      zeroCount: view.zeroCount,
      positive: Buckets(offset: view.positiveOffset, counts: Array(view.positive)),
      negative: Buckets(offset: view.negativeOffset, counts: Array(view.negative))
    )
  }
}
