import Detection
import Telemetry
import Testing

@Suite("a gradient's magnitudes")
struct MagnitudeProfileTests {
  private static let tensorCount = 12

  @Test(
    "they are those of a plain computation over all elements",
    arguments: [-3, -1, 0, 1, 4] as [Int32],
    [1, 1024, 65536] as [Double]
  )
  func plain(_ scale: Int32, _ factor: Double) {
    let seed = UInt64(bitPattern: Int64(scale)) &* 31 &+ UInt64(factor)
    var noise = Noise(seed: seed)
    for turn in 0..<50 {
      var column = ExponentialHistogramColumn()
      column.scale = scale
      for _ in 0..<Self.tensorCount { column.append(Self.random(scale, &noise)) }
      var profiles: [MagnitudeProfile] = []
      MagnitudeProfile.take(
        column,
        scale: factor,
        tensorCount: Self.tensorCount,
        into: &profiles
      )
      #expect(profiles.count == Self.tensorCount)
      for (profile, histogram) in zip(profiles, column.histograms) {
        let expected = Plain(histogram, factor: factor)
        var found = Plain(profile)
        if expected.spread == 0 { found.spread = 0 }
        #expect(expected == found, "seed \(seed), turn \(turn): \(histogram)")
      }
    }
  }

  @Test(
    "a median that lies in the bucket of the tail is no spread",
    arguments: [-30, 10] as [Int32]
  )
  func noSpread(_ offset: Int32) {
    var column = ExponentialHistogramColumn()
    column.append(ExponentialHistogram(positive: .init(offset: offset, counts: [40, 0, 60])))
    var profiles: [MagnitudeProfile] = []
    MagnitudeProfile.take(column, scale: 1, tensorCount: 1, into: &profiles)
    #expect(profiles[0].spread == 0)
  }

  @Test(
    "buckets as far apart as the finest scale allows take no longer than their number",
    .timeLimit(.minutes(1))
  )
  func farApart() {
    var column = ExponentialHistogramColumn()
    column.scale = 20
    for _ in 0..<1000 {
      column.append(
        ExponentialHistogram(
          scale: 20,
          positive: .init(offset: -1_000_000_000, counts: [3]),
          negative: .init(offset: 1_000_000_000, counts: [5])
        )
      )
    }
    var profiles: [MagnitudeProfile] = []
    MagnitudeProfile.take(column, scale: 1, tensorCount: 1000, into: &profiles)
    #expect(profiles.allSatisfy { $0.least == -1e9 / 1_048_576 && $0.spread == 0 })
    #expect(profiles.allSatisfy { $0.tinyShare == 3.0 / 8 && $0.largeShare == 5.0 / 8 })
  }

  @Test("tensors without a histogram, and columns that do not fit, have none")
  func absent() {
    var column = ExponentialHistogramColumn()
    column.tensorIDs = [2, 99]
    for _ in 0..<2 { column.append(ExponentialHistogram(positive: .init(offset: 0, counts: [5]))) }
    var profiles: [MagnitudeProfile] = []
    MagnitudeProfile.take(column, scale: 1, tensorCount: 4, into: &profiles)
    #expect(profiles.map(\.hasMagnitudes) == [false, false, true, false])
    #expect(profiles[0].zeroShare.isNaN)
    column.positiveLength[0] = 9
    column.positiveOffset = [0]
    MagnitudeProfile.take(column, scale: 1, tensorCount: 4, into: &profiles)
    #expect(profiles.map(\.hasMagnitudes) == [false, false, false, false])
  }

  /// A few hundred elements of both signs, in up to 60 octaves, with gaps.
  private static func random(_ scale: Int32, _ noise: inout Noise) -> ExponentialHistogram {
    let perOctave = scale >= 0 ? 1 << Int(scale) : 1
    func side() -> ExponentialHistogram.Buckets {
      guard noise.next() % 5 > 0 else { return .init() }
      let length = 1 + Int(noise.next() % UInt64(20 * perOctave))
      let low = scale >= 0 ? -40 * perOctave : -40 >> Int(-scale)
      let offset = low + Int(noise.next() % UInt64(max(1, -2 * low)))
      return .init(
        offset: Int32(offset),
        counts: (0..<length).map { _ in noise.next() % 3 == 0 ? noise.next() % 200 : 0 }
      )
    }
    let positive = side()
    var negative = side()
    // Often, as in gradients, both have the same buckets.
    if noise.next() % 3 == 0 {
      negative.offset = positive.offset
      negative.counts = positive.counts.map { _ in noise.next() % 2 == 0 ? noise.next() % 90 : 0 }
    }
    return ExponentialHistogram(
      scale: scale,
      zeroCount: noise.next() % 2 == 0 ? 0 : noise.next() % 500,
      positive: positive,
      negative: negative
    )
  }
}

/// The numbers of a profile, found element by element.
private struct Plain: Equatable {
  var zeroShare = -1.0
  var least = Double.infinity
  var spread = 0.0
  var largeShare = 0.0
  var tinyShare = 0.0

  init(_ profile: MagnitudeProfile) {
    zeroShare = profile.zeroShare
    least = profile.least
    spread = profile.spread
    largeShare = profile.largeShare
    tinyShare = profile.tinyShare
  }

  init(_ histogram: ExponentialHistogram, factor: Double) {
    let width = Double(sign: .plus, exponent: -Int(histogram.scale), significand: 1)
    // The log2 of each element's bucket bound, ascending.
    var logs: [Double] = []
    for side in [histogram.positive, histogram.negative] {
      for (index, count) in side.counts.enumerated() {
        let log = Double(Int(side.offset) + index) * width
        logs += Array(repeating: log, count: Int(count))
      }
    }
    logs.sort()
    let all = Double(max(1, logs.count + Int(histogram.zeroCount)))
    zeroShare = Double(histogram.zeroCount) / all
    guard let first = logs.first else { return }
    least = first
    // One in a thousand lies above the quantile, the upper half from the median on.
    let high = logs[logs.count - 1 - logs.count / 1000]
    spread = high - logs[logs.count / 2]
    let octaves = Double(Int(factor).trailingZeroBitCount)
    largeShare = Double(logs.count { $0 >= 3 + octaves }) / all
    tinyShare = Double(logs.count { $0 < -20 }) / all
  }
}
