import Telemetry
import TelemetryTesting

/// What an exponential histogram means, as a dictionary: the slow form that tests compare with.
struct BucketModel: Equatable {
  var zeroCount: UInt64
  var positive: [Int: UInt64]
  var negative: [Int: UInt64]

  /// Takes the counts of `histogram` as they are at a scale that is as coarse or coarser.
  init(_ histogram: ExponentialHistogram, at scale: Int32) {
    let width = 1 << Int(histogram.scale - scale)
    func buckets(_ buckets: ExponentialHistogram.Buckets) -> [Int: UInt64] {
      var result: [Int: UInt64] = [:]
      for (place, count) in buckets.counts.enumerated() where count > 0 {
        let index = Int(buckets.offset) + place
        // Division that rounds down, written without a shift.
        let coarse = index >= 0 ? index / width : -((-index + width - 1) / width)
        result[coarse, default: 0] &+= count
      }
      return result
    }
    zeroCount = histogram.zeroCount
    positive = buckets(histogram.positive)
    negative = buckets(histogram.negative)
  }

  static func + (lhs: Self, rhs: Self) -> Self {
    var sum = lhs
    sum.zeroCount &+= rhs.zeroCount
    sum.positive.merge(rhs.positive, uniquingKeysWith: &+)
    sum.negative.merge(rhs.negative, uniquingKeysWith: &+)
    return sum
  }
}

extension ExponentialHistogram {
  /// A histogram of up to 40 buckets a sign, anywhere where ingest lets buckets be.
  static func random(using generator: inout SeededGenerator) -> ExponentialHistogram {
    random(scale: .random(in: scales, using: &generator), using: &generator)
  }

  static func random(scale: Int32, using generator: inout SeededGenerator) -> ExponentialHistogram {
    func buckets() -> Buckets {
      let length = Int.random(in: 0...40, using: &generator)
      guard length > 0 else { return Buckets() }
      let octaves = Int32([3, 50, 1000].randomElement(using: &generator) ?? 3)
      let limit = octaves << max(scale, 0)
      return Buckets(
        offset: .random(in: -limit...limit, using: &generator),
        counts: (0..<length).map { _ in
          // Now and then a count so large that sums wrap.
          Bool.random(using: &generator)
            ? .random(in: 0...5, using: &generator) : generator.next() >> 1
        }
      )
    }
    return ExponentialHistogram(
      scale: scale,
      zeroCount: .random(in: 0...9, using: &generator),
      positive: buckets(),
      negative: buckets()
    )
  }

  func merged(with other: ExponentialHistogram) -> ExponentialHistogram {
    var sum = self
    sum.merge(other)
    return sum
  }

  func downscaled(to scale: Int32) -> ExponentialHistogram {
    var coarse = self
    coarse.downscale(to: scale)
    return coarse
  }
}
