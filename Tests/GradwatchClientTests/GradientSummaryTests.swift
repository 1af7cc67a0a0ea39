import GradwatchClient
import Telemetry
import TelemetryTesting
import Testing

@Suite("The summary of a gradient")
struct GradientSummaryTests {
  /// What the textbook says, in two passes and in `Double`.
  private struct TwoPass {
    var norm, mean, meanAbs, std, min, max: Double

    init(_ elements: [Float]) {
      let finite = elements.filter(\.isFinite).map(Double.init)
      let count = Double(finite.count)
      let mean = finite.reduce(0, +) / count
      self.mean = mean
      norm = finite.reduce(0) { $0 + $1 * $1 }.squareRoot()
      meanAbs = finite.reduce(0) { $0 + abs($1) } / count
      std = (finite.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count).squareRoot()
      min = finite.min() ?? .nan
      max = finite.max() ?? .nan
    }
  }

  private static func isClose(_ found: Double, _ expected: Double) -> Bool {
    abs(found - expected) <= 1e-9 * max(abs(expected), 1e-300)
  }

  /// Sizes around the blocks and vectors of the loop, each with and without non-finite elements.
  @Test(
    "statistics equal those of two plain passes in double precision",
    arguments: [1, 7, 8, 9, 1023, 1024, 1025, 4096, 8191, 8192, 20_003],
    [0, 3]
  )
  func equalsTwoPasses(count: Int, nonFiniteCount: Int) {
    let seed = UInt64(count * 10 + nonFiniteCount)
    var generator = SeededGenerator(seed: seed)
    var elements = (0..<count).map { _ in
      Float.random(in: -1...1, using: &generator)
        * Float(sign: .plus, exponent: Int.random(in: -40...20, using: &generator), significand: 1)
    }
    var nans: UInt64 = 0
    if count > nonFiniteCount, nonFiniteCount > 0 {
      elements[count / 2] = .nan
      elements[count - 1] = .nan
      nans = count / 2 == count - 1 ? 1 : 2
    }
    let expected = TwoPass(elements)
    for takesHistogram in [false, true] {
      let summary = GradientSummary(elements, takesHistogram: takesHistogram)
      let comment = Comment(rawValue: "seed \(seed), histogram \(takesHistogram)")
      #expect(Self.isClose(summary.norm, expected.norm), comment)
      #expect(abs(summary.mean - expected.mean) <= 1e-9 * expected.meanAbs, comment)
      #expect(Self.isClose(summary.meanAbs, expected.meanAbs), comment)
      #expect(abs(summary.std - expected.std) <= 1e-7 * expected.meanAbs, comment)
      #expect(summary.min == expected.min, comment)
      #expect(summary.max == expected.max, comment)
      #expect(summary.nanCount == nans, comment)
      #expect(summary.elementCount == UInt64(count), comment)
      #expect((summary.histogram != nil) == takesHistogram, comment)
    }
  }

  @Test("the histogram holds every finite element in the bucket of its octave")
  func histogramBuckets() throws {
    var generator = SeededGenerator(seed: 5)
    for count in [3, 1000, 20_000] {
      let elements = (0..<count).map { _ in
        Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &generator))
      }
      let histogram = try #require(GradientSummary(elements).histogram)
      var zeros: UInt64 = 0
      var positive: [Int32: UInt64] = [:]
      var negative: [Int32: UInt64] = [:]
      for element in elements where element.isFinite {
        if element.isZero || element.isSubnormal {
          zeros += 1
        } else if element > 0 {
          positive[Int32(element.exponent), default: 0] += 1
        } else {
          negative[Int32(element.exponent), default: 0] += 1
        }
      }
      #expect(histogram.scale == 0)
      #expect(histogram.zeroCount == zeros)
      for (buckets, expected) in [(histogram.positive, positive), (histogram.negative, negative)] {
        var found: [Int32: UInt64] = [:]
        for (index, count) in buckets.counts.enumerated() where count > 0 {
          found[buckets.offset + Int32(index)] = count
        }
        #expect(found == expected, "count \(count)")
        #expect(buckets.counts.first != 0 && buckets.counts.last != 0, "no empty bucket outside")
      }
    }
  }

  @Test("a bucket is closed below and open above")
  func bucketEdges() {
    let below: Float = 1 - .ulpOfOne / 2
    let summary = GradientSummary([1, below, 2, -0.5] as [Float])
    #expect(
      summary.histogram
        == ExponentialHistogram(
          positive: .init(offset: -1, counts: [1, 1, 1]),
          negative: .init(offset: -1, counts: [1])
        )
    )
  }

  @Test("the least and the largest magnitude have their buckets")
  func extremeBuckets() throws {
    let summary = GradientSummary(
      [.leastNormalMagnitude, -.greatestFiniteMagnitude] as [Float]
    )
    let histogram = try #require(summary.histogram)
    #expect(histogram.positive == .init(offset: -126, counts: [1]))
    #expect(histogram.negative == .init(offset: 127, counts: [1]))
    #expect(histogram.zeroCount == 0)
  }

  @Test("subnormals and zeros are the histogram's zero count, and only zeros the gradient's")
  func zerosAndSubnormals() {
    let summary = GradientSummary(
      [0, -0.0, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, 1] as [Float]
    )
    #expect(summary.zeroCount == 2)
    #expect(summary.histogram?.zeroCount == 4)
    #expect(summary.histogram?.total == 5)
  }

  @Test("an empty gradient has NaN statistics, no counts and an empty histogram")
  func empty() {
    let summary = GradientSummary([] as [Float])
    for value in [
      summary.norm, summary.mean, summary.meanAbs, summary.std, summary.min, summary.max,
    ] {
      #expect(value.isNaN)
    }
    #expect(summary.elementCount == 0)
    #expect(summary.histogram == ExponentialHistogram())
  }

  @Test("a gradient without a finite element has NaN statistics, and its counts")
  func allNonFinite() {
    let summary = GradientSummary([.nan, .infinity, -.infinity, -.infinity, .nan, .nan] as [Float])
    for value in [
      summary.norm, summary.mean, summary.meanAbs, summary.std, summary.min, summary.max,
    ] {
      #expect(value.isNaN)
    }
    #expect(summary.nanCount == 3)
    #expect(summary.positiveInfinityCount == 1)
    #expect(summary.negativeInfinityCount == 2)
    #expect(summary.zeroCount == 0)
    #expect(summary.histogram == ExponentialHistogram())
  }

  @Test("non-finite elements are counted and leave the statistics of the others alone")
  func someNonFinite() {
    let summary = GradientSummary([3, .nan, -4, .infinity, 0] as [Float])
    #expect(summary.norm == 5)
    #expect(summary.meanAbs == 7.0 / 3)
    #expect(summary.mean == -1.0 / 3)
    #expect(summary.min == -4)
    #expect(summary.max == 3)
    #expect(summary.zeroCount == 1)
    #expect(summary.nanCount == 1)
    #expect(summary.positiveInfinityCount == 1)
    #expect(summary.negativeInfinityCount == 0)
    #expect(summary.histogram?.total == 3)
  }

  @Test("the largest elements overflow neither the sums nor the norm")
  func largest() {
    let elements = [Float](repeating: .greatestFiniteMagnitude, count: 10_000)
    let summary = GradientSummary(elements)
    #expect(Self.isClose(summary.norm, 100 * Double(Float.greatestFiniteMagnitude)))
    #expect(Self.isClose(summary.mean, Double(Float.greatestFiniteMagnitude)))
    #expect(summary.std == 0)
  }

  @Test("equal elements have a standard deviation of exactly 0")
  func constant() {
    var generator = SeededGenerator(seed: 11)
    // Of this length, one value in thirty has sums whose rounding leaves a variance above 0.
    for _ in 0..<300 {
      let value = Float.random(in: -1...1, using: &generator)
      #expect(GradientSummary([Float](repeating: value, count: 5003)).std == 0, "\(value)")
    }
  }

  @Test("a double-precision gradient has the same summary where both can hold it")
  func doublePrecision() {
    var generator = SeededGenerator(seed: 9)
    let elements = (0..<3000).map { _ in Float.random(in: -2...2, using: &generator) } + [.nan, 0]
    let single = GradientSummary(elements)
    let double = GradientSummary(elements.map(Double.init))
    #expect(Self.isClose(double.norm, single.norm))
    #expect(abs(double.std - single.std) < 1e-9)
    #expect(double.min == single.min)
    #expect(double.max == single.max)
    #expect(double.nanCount == 1)
    #expect(double.zeroCount == single.zeroCount)
    #expect(double.histogram == single.histogram)
    #expect(
      GradientSummary([1e-300, 1e300] as [Double]).histogram
        == ExponentialHistogram(
          positive: .init(
            offset: -997,
            counts: [1] + Array(repeating: 0, count: 1992) + [1]
          )
        )
    )
  }

  @Test("a sequence without contiguous storage has the same summary")
  func lazySequence() {
    let elements: [Float] = [1, -2, 3, 0]
    #expect(GradientSummary(elements.lazy.map { $0 }) == GradientSummary(elements))
  }
}
