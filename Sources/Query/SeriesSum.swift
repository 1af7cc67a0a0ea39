import RunStore

/// What a part of a series comes to: measurements and points of it, which are added in step order.
struct SeriesSum {
  /// The last value; NaN before the first.
  private(set) var last = Double.nan
  /// The number of measurements.
  private(set) var count: UInt64 = 0
  /// How many of them were not finite.
  private(set) var nonFiniteCount: UInt64 = 0
  /// Infinite until there is a finite value, because a number is neither less nor greater than NaN.
  private var min = Double.infinity
  private var max = -Double.infinity
  private var sum = 0.0

  /// Adds a measurement.
  @inline(__always)
  mutating func add(_ value: Double) {
    last = value
    count &+= 1
    guard value.isFinite else {
      nonFiniteCount &+= 1
      return
    }
    min = value < min ? value : min
    max = value > max ? value : max
    sum += value
  }

  /// Adds some measurements.
  ///
  /// - Precondition: There is one at each of the places.
  mutating func add(_ slice: SeriesSlice, _ places: Range<Int>) {
    // Copies stay in registers.
    self = slice.values.reduce(in: places, self) { sum, value in
      var sum = sum
      sum.add(value)
      return sum
    }
  }

  /// Adds some points, whose statistics may be empty but for the counts: nobody asked for them.
  ///
  /// - Precondition: There is one at each of the places, of which there is one at least.
  mutating func add(_ finer: SeriesPoints, _ places: Range<Int>) {
    count &+= finer.count.reduce(in: places, 0) { $0 &+ $1 }
    nonFiniteCount &+= finer.nonFiniteCount.reduce(in: places, 0) { $0 &+ $1 }
    // Points without a finite value have NaN, which is less or greater than nothing. Means stand in for bounds that were not
    // asked for, because a mean of all lies between them.
    let lows = finer.min.isEmpty ? finer.mean : finer.min
    let highs = finer.max.isEmpty ? finer.mean : finer.max
    if !lows.isEmpty { min = lows.reduce(in: places, min) { $1 < $0 ? $1 : $0 } }
    if !highs.isEmpty { max = highs.reduce(in: places, max) { $1 > $0 ? $1 : $0 } }
    if !finer.mean.isEmpty {
      for place in places {
        let measured = finer.count[place] - finer.nonFiniteCount[place]
        if measured > 0 { sum += finer.mean[place] * Double(measured) }
      }
    }
    last = finer.last.isEmpty ? .nan : finer.last[places.upperBound - 1]
  }

  private var isFinite: Bool { count > nonFiniteCount }

  /// The smallest finite value; NaN if there is none.
  var finiteMin: Double { isFinite ? min : .nan }

  /// The largest finite value; NaN if there is none.
  var finiteMax: Double { isFinite ? max : .nan }

  /// The mean of the finite values; NaN if there is none.
  var mean: Double {
    guard isFinite else { return .nan }
    // A sum of finite values may overflow, both ways at that; the mean of what lies between two bounds lies there too.
    guard !sum.isNaN else { return min / 2 + max / 2 }
    return Swift.min(Swift.max(sum / Double(count - nonFiniteCount), min), max)
  }

  /// A statistic.
  subscript(statistic: SeriesPoints.Statistic) -> Double {
    switch statistic {
    case .max: finiteMax
    case .min: finiteMin
    case .mean: mean
    case .last: last
    }
  }
}

extension Array {
  /// What `combine` makes of some elements, which are known to be there.
  @inline(__always)
  fileprivate func reduce<Result>(
    in places: Range<Int>,
    _ start: Result,
    _ combine: (Result, Element) -> Result
  ) -> Result {
    precondition(places.upperBound <= count && places.lowerBound >= 0, "places out of range")
    return withUnsafeBufferPointer { elements in
      var result = start
      for place in places { result = combine(result, elements[place]) }
      return result
    }
  }
}
