/// A histogram of signed values whose buckets grow exponentially; two of them merge exactly.
///
/// The data model is OpenTelemetry's, "ExponentialHistogram", with one difference: bucket i holds
/// magnitudes in [base^i, base^(i+1)), closed below instead of above, so that at scale 0 an index is the
/// exponent field of the float. NaN and infinities are not in it; they are counted beside it.
public struct ExponentialHistogram: Hashable, Sendable {
  /// A run of buckets of one sign.
  public struct Buckets: Hashable, Sendable {
    /// The index of the first bucket.
    public var offset: Int32
    /// The counts, from the first bucket on.
    public var counts: [UInt64]

    /// Makes a run of buckets.
    public init(offset: Int32 = 0, counts: [UInt64] = []) {
      self.offset = offset
      self.counts = counts
    }

    /// The sum of the counts, modulo 2^64.
    public var total: UInt64 { counts.reduce(0, &+) }
  }

  /// The scales that are accepted, as in OpenTelemetry's data model.
  public static let scales: ClosedRange<Int32> = -10...20

  /// The resolution: base 2^(2^-scale).
  public private(set) var scale: Int32
  /// The number of elements that are 0 or subnormal.
  public private(set) var zeroCount: UInt64
  /// The positive elements.
  public private(set) var positive: Buckets
  /// The negative elements, by magnitude.
  public private(set) var negative: Buckets

  /// Makes a histogram, empty unless told otherwise.
  public init(
    scale: Int32 = 0,
    zeroCount: UInt64 = 0,
    positive: Buckets = Buckets(),
    negative: Buckets = Buckets()
  ) {
    self.scale = scale
    self.zeroCount = zeroCount
    self.positive = positive
    self.negative = negative
  }

  /// The number of elements in it, modulo 2^64.
  public var total: UInt64 { zeroCount &+ positive.total &+ negative.total }

  /// The bounds of the magnitudes in bucket `index`, at this scale.
  public func bounds(ofBucket index: Int32) -> Range<Double> {
    let lower = Self.power(of: Double(index), scale: scale)
    return lower..<Swift.max(lower, Self.power(of: Double(index) + 1, scale: scale))
  }

  /// The most buckets of one sign that a merge makes; past that it halves the resolution.
  ///
  /// Every octave of Double's range at scale 0 takes 2,200.
  public static let maximumBuckets = 4096

  /// The buckets at the coarsest scale that can hold a Double; subnormals are in the first.
  private static let coarsestBuckets = -2...0

  /// Adds the counts of `other`; the coarser of the two scales is kept, or one that is coarser still if
  /// the sum would have more than ``maximumBuckets`` buckets.
  ///
  /// If even the coarsest would, there are buckets that no Double falls into, which ingest refuses, but
  /// damaged bytes may have: they count in the nearest that can hold one.
  public mutating func merge(_ other: ExponentialHistogram) {
    var other = other
    var coarser = Swift.min(scale, other.scale)
    downscale(to: coarser)
    other.downscale(to: coarser)
    while coarser > Self.scales.lowerBound,
      positive.span(with: other.positive) > Self.maximumBuckets
        || negative.span(with: other.negative) > Self.maximumBuckets
    {
      coarser -= 1
      downscale(to: coarser)
      other.downscale(to: coarser)
    }
    if positive.span(with: other.positive) > Self.maximumBuckets
      || negative.span(with: other.negative) > Self.maximumBuckets
    {
      saturate()
      other.saturate()
    }
    zeroCount &+= other.zeroCount
    positive.add(other.positive)
    negative.add(other.negative)
  }

  private mutating func saturate() {
    positive.saturate(at: Self.coarsestBuckets)
    negative.saturate(at: Self.coarsestBuckets)
  }

  /// Adds the counts of `other`, as the other method of this name.
  package mutating func merge(_ other: ExponentialHistogramView) {
    // Neighbours in time mostly have the same buckets: then the sum grows where it is.
    guard scale == other.scale, positive.covers(other.positiveOffset, other.positive.count),
      negative.covers(other.negativeOffset, other.negative.count)
    else { return merge(ExponentialHistogram(other)) }
    zeroCount &+= other.zeroCount
    positive.add(other.positive, from: other.positiveOffset)
    negative.add(other.negative, from: other.negativeOffset)
  }

  /// Halves the resolution until the scale is `target`; does nothing if it is as coarse already.
  public mutating func downscale(to target: Int32) {
    guard target < scale else { return }
    let shift = Int(scale) - Int(target)
    positive.coarsen(by: shift)
    negative.coarsen(by: shift)
    scale = target
  }

  /// base^exponent = 2^(exponent * 2^-scale).
  private static func power(of exponent: Double, scale: Int32) -> Double {
    let octaves = exponent * Double(sign: .plus, exponent: -Int(scale), significand: 1)
    let whole = octaves.rounded(.down)
    // 1,100 is past the range of Double on either side, where the result is 0 or infinite anyway.
    let exponent = Int(Swift.min(Swift.max(whole, -1100), 1100))
    return Double(sign: .plus, exponent: exponent, significand: 1)
      * Self.exp2Fraction(octaves - whole)
  }

  /// 2^x for x in [0, 1), by halving: the standard library has no exp2 without Foundation.
  private static func exp2Fraction(_ x: Double) -> Double {
    var result = 1.0
    var remaining = x
    var root = 2.0.squareRoot()
    var weight = 0.5
    // A Double's fraction has 52 bits; each turn consumes one.
    for _ in 0..<52 where remaining > 0 {
      if remaining >= weight {
        result *= root
        remaining -= weight
      }
      root = root.squareRoot()
      weight /= 2
    }
    return result
  }
}

extension ExponentialHistogram.Buckets {
  /// The number of buckets from the first to the last of both.
  fileprivate func span(with other: Self) -> Int {
    guard !counts.isEmpty, !other.counts.isEmpty else {
      return Swift.max(counts.count, other.counts.count)
    }
    return Swift.max(Int(offset) + counts.count, Int(other.offset) + other.counts.count)
      - Swift.min(Int(offset), Int(other.offset))
  }

  fileprivate mutating func add(_ other: Self) {
    guard !other.counts.isEmpty else { return }
    guard !counts.isEmpty else {
      self = other
      return
    }
    let first = Swift.min(Int(offset), Int(other.offset))
    let end = Swift.max(Int(offset) + counts.count, Int(other.offset) + other.counts.count)
    if !covers(other.offset, other.counts.count) {
      let before = [UInt64](repeating: 0, count: Int(offset) - first)
      let behind = [UInt64](repeating: 0, count: end - Int(offset) - counts.count)
      counts = before + counts + behind
      offset = Int32(first)
    }
    other.counts.withUnsafeBufferPointer { add($0, from: other.offset) }
  }

  /// Whether all of some buckets are among these.
  fileprivate func covers(_ other: Int32, _ count: Int) -> Bool {
    count == 0 || other >= offset && Int(other) + count <= Int(offset) + counts.count
  }

  /// Adds counts of buckets that are among these.
  fileprivate mutating func add(_ other: UnsafeBufferPointer<UInt64>, from first: Int32) {
    guard !other.isEmpty else { return }
    let start = Int(first) - Int(offset)
    counts.withUnsafeMutableBufferPointer { counts in
      let counts = UnsafeMutableBufferPointer(rebasing: counts[start..<start + other.count])
      for index in other.indices { counts[index] &+= other[index] }
    }
  }

  /// Moves what lies outside of `indices` to their ends.
  fileprivate mutating func saturate(at indices: ClosedRange<Int>) {
    guard !counts.isEmpty else { return }
    var kept = [UInt64](repeating: 0, count: indices.count)
    for (index, count) in counts.enumerated() {
      let place = Swift.min(Swift.max(Int(offset) + index, indices.lowerBound), indices.upperBound)
      kept[place - indices.lowerBound] &+= count
    }
    offset = Int32(indices.lowerBound)
    counts = kept
  }

  fileprivate mutating func coarsen(by shift: Int) {
    guard let last = counts.indices.last else { return }
    let first = Int(offset) >> shift
    var coarse = [UInt64](repeating: 0, count: ((Int(offset) + last) >> shift) - first + 1)
    for (index, count) in counts.enumerated() {
      coarse[((Int(offset) + index) >> shift) - first] &+= count
    }
    offset = Int32(first)
    counts = coarse
  }
}
