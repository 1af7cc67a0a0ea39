package import Telemetry

/// How the magnitudes of one gradient spread, from its histogram, both signs together.
package struct MagnitudeProfile: Sendable {
  /// The share of elements of exactly 0; NaN if there is no histogram.
  package private(set) var zeroShare = Double.nan
  /// log2 of the lower bound of the first bucket with an element; +Inf if all are 0.
  package private(set) var least = Double.infinity
  /// Octaves from the median of the magnitudes to their 99.9 % quantile; 0 if all are 0.
  package private(set) var spread = 0.0
  /// The share of elements of 8 and more: seed 000 calls tails past 10 unhealthy, and 2^3 is the
  /// bucket edge next to it.
  package private(set) var largeShare = 0.0
  /// The share of elements below 2^-20, where float16 has four octaves left.
  package private(set) var tinyShare = 0.0

  private static let largeExponent = 3.0
  private static let tinyExponent = -20.0

  /// Whether there is a histogram with an element that is not 0.
  package var hasMagnitudes: Bool { least < .infinity }

  /// Takes a report's exponential histograms apart.
  ///
  /// - Parameters:
  ///   - column: The histograms.
  ///   - scale: What the gradients were multiplied by; only ``largeShare`` knows of it.
  ///   - tensorCount: The number of tensors of the model.
  ///   - profiles: One for each of them, after the call.
  package static func take(
    _ column: ExponentialHistogramColumn,
    scale: Double,
    tensorCount: Int,
    into profiles: inout [MagnitudeProfile]
  ) {
    profiles.removeAll(keepingCapacity: true)
    for _ in 0..<tensorCount { profiles.append(MagnitudeProfile()) }
    let count = column.zeroCount.count
    // What was not held against a model loses its odd columns here.
    guard column.positiveOffset.count == count, column.negativeOffset.count == count,
      column.positiveLength.count == count, column.negativeLength.count == count,
      column.tensorIDs.count == (column.tensorIDs.isEmpty ? 0 : count)
    else { return }
    // Indices of buckets, of which 2^scale make an octave.
    let perOctave = Double(sign: .plus, exponent: Int(column.scale), significand: 1)
    let shift = naturalLog(max(scale, 1e-30)) / naturalLog(2)
    let edges = Edges(
      large: Int((perOctave * (largeExponent + shift)).rounded(.up)),
      tiny: Int((perOctave * tinyExponent).rounded(.up)),
      perOctave: perOctave
    )
    column.counts.withUnsafeBufferPointer { counts in
      var start = 0
      for position in 0..<count {
        let middle = start + Int(column.positiveLength[position])
        let end = middle + Int(column.negativeLength[position])
        guard end <= counts.count else { return }
        let tensor = column.tensorIDs.isEmpty ? position : Int(column.tensorIDs[position])
        if tensor < profiles.count {
          profiles[tensor] = MagnitudeProfile(
            zeros: column.zeroCount[position],
            Side(counts[start..<middle], offset: Int(column.positiveOffset[position])),
            Side(counts[middle..<end], offset: Int(column.negativeOffset[position])),
            edges
          )
        }
        start = end
      }
    }
  }

  private struct Edges {
    var large: Int
    var tiny: Int
    var perOctave: Double
  }

  /// The buckets of one sign.
  private struct Side {
    let counts: UnsafeBufferPointer<UInt64>
    let offset: Int

    init(_ slice: Slice<UnsafeBufferPointer<UInt64>>, offset: Int) {
      counts = UnsafeBufferPointer(rebasing: slice)
      self.offset = offset
    }

    /// The index of the first bucket with an element; `nil` if there is none.
    var first: Int? { counts.firstIndex { $0 > 0 }.map { offset + $0 } }

    /// Whether there are buckets, and the other side has the same.
    func isAligned(with other: Side) -> Bool {
      offset == other.offset && counts.count == other.counts.count && !counts.isEmpty
    }

    var total: UInt64 { Self.sum(counts[...]) }

    /// Elements in the buckets below `index`.
    func total(below index: Int) -> UInt64 { Self.sum(counts[..<place(of: index)]) }

    /// Elements in the bucket `index` and those above.
    func total(from index: Int) -> UInt64 { Self.sum(counts[place(of: index)...]) }

    /// Where the first bucket at or above `index` is.
    private func place(of index: Int) -> Int {
      Swift.min(Swift.max(index - offset, 0), counts.count)
    }

    private static func sum(_ counts: Slice<UnsafeBufferPointer<UInt64>>) -> UInt64 {
      var sum: UInt64 = 0
      for count in UnsafeBufferPointer(rebasing: counts) { sum &+= count }
      return sum
    }
  }

  private init() {}

  private init(zeros: UInt64, _ positive: Side, _ negative: Side, _ edges: Edges) {
    let others = positive.total &+ negative.total
    let all = Double(max(1, zeros &+ others))
    zeroShare = Double(zeros) / all
    guard others > 0 else { return }
    least = Double(min(positive.first ?? .max, negative.first ?? .max)) / edges.perOctave
    tinyShare = Double(positive.total(below: edges.tiny) &+ negative.total(below: edges.tiny)) / all
    largeShare =
      Double(positive.total(from: edges.large) &+ negative.total(from: edges.large)) / all
    let buckets =
      positive.isAligned(with: negative)
      ? Self.upperBuckets(ofAligned: positive, negative, others: others)
      : Self.upperBuckets(positive, negative, others: others)
    spread = Double(buckets) / edges.perOctave
  }

  /// Of sides with the same buckets, as gradients mostly have, both are one run.
  private static func upperBuckets(
    ofAligned positive: Side,
    _ negative: Side,
    others: UInt64
  ) -> Int {
    let (tail, half) = (UInt64(Double(others) * 0.001), others / 2 + others % 2)
    var sum: UInt64 = 0
    var place = positive.counts.count
    // Until the sum is in the tail no more; and then until it is the upper half.
    while place > 0, sum <= tail {
      place -= 1
      sum &+= positive.counts[place] &+ negative.counts[place]
    }
    let high = place
    while place > 0, sum < half {
      place -= 1
      sum &+= positive.counts[place] &+ negative.counts[place]
    }
    return high - place
  }

  /// The buckets from the median up to the 99.9 % quantile: goes down from the largest, from one that is there to the next.
  private static func upperBuckets(_ positive: Side, _ negative: Side, others: UInt64) -> Int {
    let tail = UInt64(Double(others) * 0.001)
    var (sum, high): (UInt64, Int?) = (0, nil)
    var (left, right) = (positive.counts.count, negative.counts.count)
    while left > 0 || right > 0 {
      let (a, b) = (positive.offset + left - 1, negative.offset + right - 1)
      let index = right == 0 || left > 0 && a > b ? a : b
      if left > 0, a == index {
        left -= 1
        sum &+= positive.counts[left]
      }
      if right > 0, b == index {
        right -= 1
        sum &+= negative.counts[right]
      }
      if high == nil, sum > tail { high = index }
      if let high, sum >= others &- sum { return high - index }
    }
    return 0
  }
}
