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

    /// Elements in the bucket `index`.
    func count(at index: Int) -> UInt64 {
      let place = index - offset
      return place >= 0 && place < counts.count ? counts[place] : 0
    }

    var total: UInt64 {
      var sum: UInt64 = 0
      for count in counts { sum &+= count }
      return sum
    }
  }

  private init() {}

  private init(zeros: UInt64, _ positive: Side, _ negative: Side, _ edges: Edges) {
    let others = positive.total &+ negative.total
    let all = Double(max(1, zeros &+ others))
    zeroShare = Double(zeros) / all
    guard others > 0 else { return }
    var first = min(
      positive.counts.isEmpty ? .max : positive.offset,
      negative.counts.isEmpty ? .max : negative.offset
    )
    let end = max(
      positive.counts.isEmpty ? .min : positive.offset + positive.counts.count,
      negative.counts.isEmpty ? .min : negative.offset + negative.counts.count
    )
    while positive.count(at: first) &+ negative.count(at: first) == 0 { first += 1 }
    least = Double(first) / edges.perOctave
    var tiny: UInt64 = 0
    var index = first
    while index < min(end, edges.tiny) {
      tiny &+= positive.count(at: index) &+ negative.count(at: index)
      index += 1
    }
    tinyShare = Double(tiny) / all
    takeUpperHalf(positive, negative, from: end, edges, others: others, all: all)
  }

  /// Goes down from the largest bucket to the median.
  private mutating func takeUpperHalf(
    _ positive: Side,
    _ negative: Side,
    from end: Int,
    _ edges: Edges,
    others: UInt64,
    all: Double
  ) {
    let tail = UInt64(Double(others) * 0.001)
    var (sum, high): (UInt64, Int?) = (0, nil)
    var isMedianFound = false
    var index = end
    while !isMedianFound || index > edges.large && sum < others {
      index -= 1
      sum &+= positive.count(at: index) &+ negative.count(at: index)
      if high == nil, sum > tail { high = index }
      if index >= edges.large { largeShare = Double(sum) / all }
      if !isMedianFound, 2 * sum >= others, let high {
        spread = Double(high - index) / edges.perOctave
        isMedianFound = true
      }
    }
  }
}
