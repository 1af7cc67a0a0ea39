import Telemetry

/// Counts elements by their sign and exponent bits: the exponential histogram at scale 0, as it
/// comes.
///
/// Borrows its counters, one for each pattern of sign and exponent. A large tensor takes several
/// copies of them: neighbouring elements of a gradient often share an exponent, and adding to one
/// counter twice in a row stalls. A small one takes a single copy, because clearing and adding up
/// copies costs more.
struct ExponentTally {
  /// Copies for a large tensor; four hide the latency of a store that is loaded again.
  private static let maximumCopies = 4
  /// Elements from which on copies pay off.
  private static let largeCount = 8192

  /// All copies, end to end.
  let counters: UnsafeMutableBufferPointer<UInt64>
  /// The number of patterns of sign and exponent.
  let patternCount: Int
  /// How far an element's bits are shifted to leave its pattern.
  let significandBits: Int
  /// The exponent field of 1.
  let bias: Int

  /// Lends a tally that has counted nothing, for a tensor of `elementCount` elements.
  static func with<Value>(
    exponentBits: Int,
    significandBits: Int,
    bias: Int,
    elementCount: Int,
    _ body: (ExponentTally) -> Value
  )
    -> Value
  {
    let patternCount = 1 << (exponentBits + 1)
    let copies = elementCount < largeCount ? 1 : maximumCopies
    return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: copies * patternCount) {
      $0.initialize(repeating: 0)
      return body(
        ExponentTally(
          counters: $0,
          patternCount: patternCount,
          significandBits: significandBits,
          bias: bias
        )
      )
    }
  }

  /// The number of copies.
  var copies: Int { counters.count / patternCount }

  /// Counts one element by its bits.
  @inline(__always)
  func count(_ bits: UInt64) { counters[Int(bits >> UInt64(significandBits))] &+= 1 }

  /// The histogram of what was counted; NaN and infinities are left out.
  func histogram() -> ExponentialHistogram {
    for copy in 1..<max(copies, 1) {
      for pattern in 0..<patternCount {
        counters[pattern] &+= counters[copy * patternCount + pattern]
        counters[copy * patternCount + pattern] = 0
      }
    }
    // The exponent field is 0 for zeros and subnormals, and all ones for NaN and infinities.
    let negative = patternCount / 2
    return ExponentialHistogram(
      scale: 0,
      zeroCount: counters[0] + counters[negative],
      positive: buckets(of: 1..<negative - 1),
      negative: buckets(of: negative + 1..<patternCount - 1)
    )
  }

  /// The buckets from the first to the last that is not empty.
  private func buckets(of patterns: Range<Int>) -> ExponentialHistogram.Buckets {
    guard let first = patterns.first(where: { counters[$0] != 0 }),
      let last = patterns.last(where: { counters[$0] != 0 })
    else { return .init() }
    // The first pattern of a sign stands for the exponent field 1.
    let offset = first - patterns.lowerBound + 1 - bias
    return .init(offset: Int32(offset), counts: Array(counters[first...last]))
  }
}
