/// The sum of some rows of one series: measurements, or points of a finer rollup.
struct RollupPoint {
  /// The number of measurements.
  private(set) var count: UInt64 = 0
  /// How many of them are NaN or infinite.
  private(set) var nonFiniteCount: UInt64 = 0
  /// The bits of the last value.
  private(set) var last: UInt64 = 0
  private var least = Double.infinity
  private var greatest = -Double.infinity
  private var sum = 0.0

  /// Adds a measurement, which comes after all others.
  mutating func add(_ value: Double, bits: UInt64) {
    count += 1
    last = bits
    guard value.isFinite else {
      nonFiniteCount += 1
      return
    }
    least = Swift.min(least, value)
    greatest = Swift.max(greatest, value)
    sum += value
  }

  /// Adds a point of the level below, which comes after all others; its bounds and mean count only if it has a finite value.
  mutating func add(
    count: UInt64,
    nonFiniteCount: UInt64,
    min: @autoclosure () -> Double,
    max: @autoclosure () -> Double,
    mean: @autoclosure () -> Double,
    last: UInt64
  ) {
    self.count += count
    self.nonFiniteCount += nonFiniteCount
    self.last = last
    guard count > nonFiniteCount else { return }
    least = Swift.min(least, min())
    greatest = Swift.max(greatest, max())
    sum += mean() * Double(count - nonFiniteCount)
  }

  private var isFinite: Bool { count > nonFiniteCount }

  /// The smallest finite value; NaN if there is none.
  var min: Double { isFinite ? least : .nan }

  /// The largest finite value; NaN if there is none.
  var max: Double { isFinite ? greatest : .nan }

  /// The mean of the finite values; NaN if there is none.
  var mean: Double {
    guard isFinite else { return .nan }
    // A sum of finite values may overflow, both ways at that; the mean of what lies between two bounds lies there too.
    guard !sum.isNaN else { return least / 2 + greatest / 2 }
    return Swift.min(Swift.max(sum / Double(count - nonFiniteCount), least), greatest)
  }

  /// More than there are reports in a run, and far below where sums overflow.
  private static let maximumCount: UInt64 = 1 << 48

  /// Checks that every point sums up something, and no more than can be added to others.
  static func check(
    _ counts: [UInt64],
    _ nonFiniteCounts: [UInt64],
    of series: @autoclosure () -> String
  ) throws(CodecError) {
    // All of them before any is named: a loop without a way out is compiled to vector instructions.
    var isSound = true
    for index in counts.indices {
      let isCounted = counts[index] &- 1 < maximumCount && nonFiniteCounts[index] <= counts[index]
      isSound = isSound && isCounted
    }
    guard !isSound else { return }
    for (count, nonFinite) in zip(counts, nonFiniteCounts)
    where count &- 1 >= maximumCount || nonFinite > count {
      throw .unexpected(
        "measurements of \(series())",
        expected: "1 to \(maximumCount), as many of them not finite at most",
        found: "\(count) and \(nonFinite)"
      )
    }
  }
}
