import Foundation
import Telemetry
import TelemetryTesting
import Testing

@Suite("Bounds of exponential buckets")
struct ExponentialHistogramBoundsTests {
  /// Within 2^-46 of `expected`, or, where Double is subnormal, within its smallest step.
  private func isClose(_ found: Double, _ expected: Double) -> Bool {
    if found == expected { return true }
    return abs(found - expected)
      <= max(abs(expected) * 0x1p-46, 2 * .leastNonzeroMagnitude)
  }

  @Test("bounds are powers of the base, from 0 to infinity", arguments: [Int32(-10), 0, 3, 20])
  func powers(scale: Int32) throws {
    let histogram = ExponentialHistogram(scale: scale)
    let octaves = { (index: Int64) in Double(index) * pow(2, -Double(scale)) }
    let limit = 1100 << Int64(max(scale, 0))
    var generator = SeededGenerator(seed: 12)
    let edges: [Int32] = [-3, -2, -1, 0, 1, 2, 3, .min, .max]
    let others = (0..<1000).map { _ in
      Int32.random(in: -Int32(limit)...Int32(limit), using: &generator)
    }
    for index in edges + others {
      let bounds = histogram.bounds(ofBucket: index)
      let lower = pow(2, octaves(Int64(index)))
      let upper = pow(2, octaves(Int64(index) + 1))
      try #require(isClose(bounds.lowerBound, lower), "index \(index): expected \(lower)")
      try #require(isClose(bounds.upperBound, upper), "index \(index): expected \(upper)")
    }
  }

  @Test("the end of a bucket is the beginning of the next", arguments: [Int32(-10), -1, 0, 3, 20])
  func contiguous(scale: Int32) throws {
    let histogram = ExponentialHistogram(scale: scale)
    for index in Int32(-2000)..<2000 {
      try #require(
        histogram.bounds(ofBucket: index).upperBound
          == histogram.bounds(ofBucket: index + 1).lowerBound
      )
    }
  }

  @Test("at scale 0 a bucket's index is the exponent of what it holds, subnormals included")
  func exponents() {
    let histogram = ExponentialHistogram()
    var generator = SeededGenerator(seed: 13)
    var checked = 0
    while checked < 2000 {
      let value = Double(bitPattern: generator.next() & ~(1 << 63))
      guard value.isFinite, value > 0 else { continue }
      checked += 1
      let bounds = histogram.bounds(ofBucket: Int32(value.exponent))
      #expect(bounds.contains(value), "\(value)")
    }
    #expect(histogram.bounds(ofBucket: -1074).lowerBound == .leastNonzeroMagnitude)
    #expect(histogram.bounds(ofBucket: -1).upperBound == 1)
    #expect(histogram.bounds(ofBucket: 0) == 1..<2)
    #expect(histogram.bounds(ofBucket: 1023) == 0x1p1023..<(.infinity))
  }

  @Test("past Double's range a bucket's bounds are 0 or infinite, never NaN")
  func outside() {
    for scale in [Int32(-10), 0, 3] {
      let histogram = ExponentialHistogram(scale: scale)
      #expect(histogram.bounds(ofBucket: .min) == 0..<0)
      #expect(histogram.bounds(ofBucket: .max).lowerBound == .infinity)
    }
    #expect(ExponentialHistogram(scale: -10).bounds(ofBucket: 0) == 1..<(.infinity))
    #expect(ExponentialHistogram(scale: -10).bounds(ofBucket: -1) == 0x1p-1024..<1)
  }

  @Test("downscaling puts an element into a bucket whose bounds hold it")
  func downscaledBounds() throws {
    for scale in Int32(-9)...20 {
      for index in Int32(-1000)...1000 {
        let fine = ExponentialHistogram(scale: scale, positive: .init(offset: index, counts: [1]))
        let coarse = fine.downscaled(to: scale - 1)
        let inner = fine.bounds(ofBucket: index)
        let outer = coarse.bounds(ofBucket: coarse.positive.offset)
        try #require(
          inner.lowerBound * (1 + 0x1p-46) >= outer.lowerBound
            && inner.upperBound <= outer.upperBound * (1 + 0x1p-46),
          "bucket \(index) at scale \(scale)"
        )
      }
    }
  }
}
