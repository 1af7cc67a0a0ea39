import Telemetry
import TelemetryTesting
import Testing

@Suite("Exponential histograms, at random")
struct ExponentialHistogramPropertyTests {
  @Test("downscaling keeps the total and every count's place", arguments: [UInt64(1), 2, 3])
  func downscale(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for round in 0..<500 {
      let histogram = ExponentialHistogram.random(using: &generator)
      let target = Int32.random(in: -10...histogram.scale, using: &generator)
      let coarse = histogram.downscaled(to: target)
      try #require(coarse.scale == target, "seed \(seed), round \(round)")
      try #require(coarse.total == histogram.total, "seed \(seed), round \(round)")
      try #require(
        BucketModel(coarse, at: target) == BucketModel(histogram, at: target),
        "seed \(seed), round \(round)"
      )
    }
  }

  @Test("downscaling twice by 1 equals once by 2", arguments: [UInt64(4), 5])
  func downscaleTwice(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for round in 0..<500 {
      let scale = Int32.random(in: -8...20, using: &generator)
      let histogram = ExponentialHistogram.random(scale: scale, using: &generator)
      try #require(
        histogram.downscaled(to: scale - 1).downscaled(to: scale - 2)
          == histogram.downscaled(to: scale - 2),
        "seed \(seed), round \(round)"
      )
    }
  }

  @Test("a merge is the sum bucket by bucket, and keeps the total", arguments: [UInt64(6), 7, 8])
  func merge(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for round in 0..<500 {
      let first = ExponentialHistogram.random(using: &generator)
      let second = ExponentialHistogram.random(using: &generator)
      let sum = first.merged(with: second)
      try #require(sum.scale <= min(first.scale, second.scale), "seed \(seed), round \(round)")
      try #require(sum.total == first.total &+ second.total, "seed \(seed), round \(round)")
      try #require(
        BucketModel(sum, at: sum.scale)
          == BucketModel(first, at: sum.scale) + BucketModel(second, at: sum.scale),
        "seed \(seed), round \(round)"
      )
      for buckets in [sum.positive, sum.negative] {
        try #require(
          buckets.counts.count <= ExponentialHistogram.maximumBuckets,
          "seed \(seed), round \(round)"
        )
      }
    }
  }

  @Test("the order and the grouping of merges do not matter", arguments: [UInt64(9), 10, 11])
  func commutesAndAssociates(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for round in 0..<500 {
      let a = ExponentialHistogram.random(using: &generator)
      let b = ExponentialHistogram.random(using: &generator)
      let c = ExponentialHistogram.random(using: &generator)
      try #require(a.merged(with: b) == b.merged(with: a), "seed \(seed), round \(round)")
      let left = a.merged(with: b).merged(with: c)
      let right = a.merged(with: b.merged(with: c))
      try #require(left == right, "seed \(seed), round \(round)")
    }
  }
}
