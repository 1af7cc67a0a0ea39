import Telemetry
import Testing

@Suite("Exponential histograms")
struct ExponentialHistogramTests {
  @Test("a histogram without buckets has no elements, and merging it changes nothing")
  func empty() {
    #expect(ExponentialHistogram().total == 0)
    let some = ExponentialHistogram(
      zeroCount: 2,
      positive: .init(offset: -3, counts: [1, 0, 4]),
      negative: .init(offset: 5, counts: [7])
    )
    #expect(some.merged(with: ExponentialHistogram()) == some)
    #expect(ExponentialHistogram().merged(with: some) == some)
    #expect(ExponentialHistogram(scale: 9).downscaled(to: -10).total == 0)
  }

  @Test("the total counts zeros, positives and negatives, modulo 2^64")
  func total() {
    var histogram = ExponentialHistogram(
      zeroCount: 1,
      positive: .init(offset: 0, counts: [2, 3]),
      negative: .init(offset: 0, counts: [4])
    )
    #expect(histogram.total == 10)
    histogram.merge(ExponentialHistogram(positive: .init(offset: 0, counts: [.max])))
    #expect(histogram.positive.counts == [1, 3])
    #expect(histogram.total == 9)
  }

  @Test("downscaling joins pairs of buckets, and rounds negative indices down")
  func downscale() {
    var histogram = ExponentialHistogram(
      scale: 1,
      zeroCount: 9,
      positive: .init(offset: -3, counts: [1, 2, 3, 4, 5]),
      negative: .init(offset: 2, counts: [1, 2, 3])
    )
    histogram.downscale(to: 0)
    #expect(
      histogram
        == ExponentialHistogram(
          scale: 0,
          zeroCount: 9,
          positive: .init(offset: -2, counts: [1, 5, 9]),
          negative: .init(offset: 1, counts: [3, 3])
        )
    )
  }

  @Test("a histogram that is coarse enough is not changed by downscaling")
  func downscaleToFiner() {
    let histogram = ExponentialHistogram(scale: 2, positive: .init(offset: -7, counts: [1, 0, 2]))
    #expect(histogram.downscaled(to: 2) == histogram)
    #expect(histogram.downscaled(to: 20) == histogram)
  }

  @Test(
    "buckets that no Double falls into don't make a merge larger than any other",
    arguments: [Int32.min, -11, -10, -9, 0, 20, .max]
  )
  func outOfRange(scale: Int32) {
    let ends = [Int32.min, .max - 1, 0].map { offset in
      ExponentialHistogram(
        scale: scale,
        positive: .init(offset: offset, counts: [1, 2]),
        negative: .init(offset: offset, counts: [.max])
      )
    }
    for first in ends {
      for second in ends {
        var sum = first
        sum.merge(second)
        #expect(sum.positive.counts.count <= ExponentialHistogram.maximumBuckets)
        #expect(sum.negative.counts.count <= ExponentialHistogram.maximumBuckets)
        #expect(sum.positive.total == 6)
        #expect(sum.negative.total == UInt64.max - 1)
      }
    }
    var far = ExponentialHistogram(scale: -10, positive: .init(offset: -5000, counts: [3]))
    far.merge(ExponentialHistogram(scale: -10, positive: .init(offset: 0, counts: [4])))
    #expect(far.positive == .init(offset: -2, counts: [3, 0, 4]))
  }

  @Test("a merge adds bucket by bucket at the coarser of the two scales")
  func merge() {
    let fine = ExponentialHistogram(
      scale: 1,
      zeroCount: 1,
      positive: .init(offset: 4, counts: [1, 2]),
      negative: .init(offset: 0, counts: [5])
    )
    let coarse = ExponentialHistogram(
      scale: 0,
      zeroCount: 2,
      positive: .init(offset: -1, counts: [10, 0, 20]),
      negative: .init(offset: 2, counts: [7])
    )
    #expect(
      fine.merged(with: coarse)
        == ExponentialHistogram(
          scale: 0,
          zeroCount: 3,
          positive: .init(offset: -1, counts: [10, 0, 20, 3]),
          negative: .init(offset: 0, counts: [5, 0, 7])
        )
    )
  }

  @Test("buckets that are far apart merge within the most buckets, at the finest scale that fits")
  func farApart() {
    for (low, high) in [(Int32.min, Int32.max), (-2048, 2047), (-2048, 2048), (0, 8191)] {
      let tiny = ExponentialHistogram(scale: 20, positive: .init(offset: low, counts: [1]))
      let huge = ExponentialHistogram(scale: 20, positive: .init(offset: high, counts: [2]))
      let sum = tiny.merged(with: huge)
      #expect(sum.positive.counts.count <= ExponentialHistogram.maximumBuckets)
      #expect(sum.total == 3)
      #expect(sum == huge.merged(with: tiny))
      let finer = 20 - (sum.scale + 1)
      let span = (Int(high) >> Int(finer)) - (Int(low) >> Int(finer)) + 1
      #expect(sum.scale == 20 || span > ExponentialHistogram.maximumBuckets)
    }
  }

  @Test("4,096 buckets are merged at their scale, 4,097 at half the resolution")
  func maximumBuckets() {
    let first = ExponentialHistogram(scale: 20, negative: .init(offset: 0, counts: [1]))
    let inside = ExponentialHistogram(scale: 20, negative: .init(offset: 4095, counts: [1]))
    let outside = ExponentialHistogram(scale: 20, negative: .init(offset: 4096, counts: [1]))
    #expect(first.merged(with: inside).scale == 20)
    #expect(first.merged(with: inside).negative.counts.count == 4096)
    #expect(first.merged(with: outside).scale == 19)
    #expect(first.merged(with: outside).negative.counts.count == 2049)
  }

  @Test("a histogram that is too wide by itself is made coarser by a merge")
  func tooWide() {
    let wide = ExponentialHistogram(
      scale: 7,
      positive: .init(offset: -100, counts: Array(repeating: 1, count: 10_000))
    )
    let sum = wide.merged(with: ExponentialHistogram(scale: 7, zeroCount: 1))
    #expect(sum.scale == 5)
    #expect(sum.total == 10_001)
    #expect(sum.positive.offset == -25)
  }
}
