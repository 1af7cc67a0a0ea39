import Foundation

/// A histogram as horizontal bars: negative values to the left, positive ones to the right.
public struct HistogramPlot: Sendable {
  /// One pair of bars.
  public struct Bucket: Hashable, Sendable {
    /// The range of magnitudes, or of values if ``HistogramPlot/isSigned`` is false.
    public var label: String
    /// Elements below 0.
    public var negative: UInt64
    /// Elements above 0, or all of them.
    public var positive: UInt64

    /// Makes a pair of bars.
    public init(label: String, negative: UInt64 = 0, positive: UInt64) {
      self.label = label
      self.negative = negative
      self.positive = positive
    }
  }

  /// What is shown, on the line above the bars.
  public var title: String
  /// The bars, the largest magnitude (or value) first.
  public var buckets: [Bucket]
  /// Whether the bars are of magnitudes, with the sign as side.
  public var isSigned: Bool
  /// Elements that are 0; `nil` if they are in the bars.
  public var zeroCount: UInt64?
  /// Elements that are NaN or infinite; `nil` if unknown.
  public var nonFiniteCount: UInt64?

  /// Makes a plot of an exponential histogram, a row a power of two.
  ///
  /// Bucket i of a sign holds magnitudes in [base^i, base^(i+1)) with base 2^(2^-scale). Buckets
  /// finer than an octave are added up to octaves; coarser ones keep their own rows. A label is the
  /// lower bound.
  ///
  /// - Parameters:
  ///   - title: The title.
  ///   - scale: The resolution.
  ///   - zeroCount: Elements that are 0.
  ///   - positive: The index of the first positive bucket, and the counts from there on.
  ///   - negative: The same of the negative ones.
  ///   - nonFiniteCount: Elements that are in no bucket; `nil` if unknown.
  public init(
    title: String,
    scale: Int32,
    zeroCount: UInt64,
    positive: (offset: Int32, counts: [UInt64]),
    negative: (offset: Int32, counts: [UInt64]),
    nonFiniteCount: UInt64? = nil
  ) {
    let positive = Self.octaves(scale: scale, offset: positive.offset, counts: positive.counts)
    let negative = Self.octaves(scale: scale, offset: negative.offset, counts: negative.counts)
    let exponents = positive.merging(negative, uniquingKeysWith: &+).filter { $0.value > 0 }.keys
    let stride = scale < 0 ? 1 << Int(-scale) : 1
    self.init(
      title: title,
      buckets: exponents.min().flatMap { lowest in
        exponents.max().map { highest in
          Swift.stride(from: highest, through: lowest, by: -stride).map { exponent in
            Bucket(
              label: "2^\(exponent)",
              negative: negative[exponent] ?? 0,
              positive: positive[exponent] ?? 0
            )
          }
        }
      } ?? [],
      isSigned: true,
      zeroCount: zeroCount,
      nonFiniteCount: nonFiniteCount
    )
  }

  /// Makes a plot of a histogram with bounds of the client's choice, a row a bucket.
  ///
  /// - Parameters:
  ///   - title: The title.
  ///   - bounds: The bounds, ascending; bucket i holds values from `bounds[i-1]` up to `bounds[i]`.
  ///   - counts: One count more than bounds; others are dropped.
  ///   - nonFiniteCount: Elements that are in no bucket; `nil` if unknown.
  public init(title: String, bounds: [Double], counts: [UInt64], nonFiniteCount: UInt64? = nil) {
    let texts = bounds.map { NumberText.short($0) }
    let buckets = counts.prefix(bounds.count + 1).enumerated().map { index, count in
      let lower = index == 0 ? "-Inf" : texts[index - 1]
      let upper = index == bounds.count ? "Inf" : texts[index]
      return Bucket(label: "\(lower) .. \(upper)", positive: count)
    }
    self.init(
      title: title,
      buckets: buckets.reversed(),
      isSigned: false,
      zeroCount: nil,
      nonFiniteCount: nonFiniteCount
    )
  }

  /// Makes a plot of buckets.
  public init(
    title: String,
    buckets: [Bucket],
    isSigned: Bool,
    zeroCount: UInt64?,
    nonFiniteCount: UInt64?
  ) {
    self.title = title
    self.buckets = buckets
    self.isSigned = isSigned
    self.zeroCount = zeroCount
    self.nonFiniteCount = nonFiniteCount
  }

  /// The counts by octave: magnitudes from 2^key up.
  public static func octaves(scale: Int32, offset: Int32, counts: [UInt64]) -> [Int: UInt64] {
    var octaves: [Int: UInt64] = [:]
    for (position, count) in counts.enumerated() {
      let index = Int(offset) + position
      // Shifting an Int is division that rounds down, for negative indices too.
      octaves[scale >= 0 ? index >> Int(scale) : index << Int(-scale), default: 0] &+= count
    }
    return octaves
  }
}
