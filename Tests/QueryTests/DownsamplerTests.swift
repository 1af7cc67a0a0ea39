import Query
import RunStore
import Testing

@Suite("Downsampling")
struct DownsamplerTests {
  private func points(
    _ series: [(UInt64, Double)],
    steps: ClosedRange<UInt64>,
    maximumPoints: Int
  ) -> SeriesPoints {
    var downsampler = Downsampler(steps: steps, maximumPoints: maximumPoints)
    for (step, value) in series { downsampler.add(step: step, value: value) }
    return downsampler.finish()
  }

  @Test("a series without measurements has no points")
  func empty() {
    #expect(points([], steps: 0...99, maximumPoints: 10) == SeriesPoints())
  }

  @Test("equal parts of the range give a point each, parts without measurements none")
  func parts() {
    let series: [(UInt64, Double)] = [(0, 1), (4, 5), (9, 3), (30, 7), (39, -7)]
    let points = points(series, steps: 0...39, maximumPoints: 4)
    #expect(points.steps == [0, 30])
    #expect(points.lastSteps == [9, 39])
    #expect(points.min == [1, -7])
    #expect(points.max == [5, 7])
    #expect(points.mean == [3, 0])
    #expect(points.last == [3, -7])
    #expect(points.count == [3, 2])
    #expect(points.nonFiniteCount == [0, 0])
  }

  @Test("non-finite values are counted and left out of the rest, but kept as the last one")
  func nonFinite() {
    let series: [(UInt64, Double)] = [
      (0, .nan), (1, 2), (2, .infinity), (3, 4), (4, -.infinity), (10, .nan), (11, .nan),
    ]
    let points = points(series, steps: 0...19, maximumPoints: 2)
    #expect(points.min[0] == 2 && points.max[0] == 4 && points.mean[0] == 3)
    #expect(points.last[0] == -.infinity)
    #expect(points.min[1].isNaN && points.max[1].isNaN && points.mean[1].isNaN)
    #expect(points.last[1].isNaN)
    #expect(points.count == [5, 2])
    #expect(points.nonFiniteCount == [3, 2])
  }

  @Test("a mean is of measurements and of points whose bounds were not asked for")
  func meanOfBoth() {
    var finer = SeriesPoints()
    finer.steps = [1]
    finer.lastSteps = [16]
    finer.mean = [5]
    finer.count = [16]
    finer.nonFiniteCount = [0]
    var downsampler = Downsampler(steps: 0...31, maximumPoints: 1)
    downsampler.add(step: 0, value: 1)
    downsampler.add(.points(finer))
    let points = downsampler.finish()
    #expect(points.mean == [81.0 / 17])
  }

  @Test("parts begin at the range's first step, not at 0")
  func offset() {
    let points = points([(109, 1), (112, 2), (113, 3)], steps: 103...122, maximumPoints: 2)
    #expect(points.steps == [109, 113])
    #expect(points.lastSteps == [112, 113])
  }

  @Test("as many points as steps, or more, give every measurement")
  func fullResolution() {
    let series = (UInt64(5)...24).map { ($0, Double($0)) }
    for maximumPoints in [20, 21, 1000, .max] {
      let points = points(series, steps: 5...24, maximumPoints: maximumPoints)
      #expect(points.steps == Array(5...24))
      #expect(points.last == series.map(\.1))
      #expect(points.count.allSatisfy { $0 == 1 })
    }
  }

  @Test("a maximum below 1 is taken as 1", arguments: [1, 0, -1, .min])
  func atLeastOne(maximumPoints: Int) {
    let points = points([(0, 1), (9, 3)], steps: 0...9, maximumPoints: maximumPoints)
    #expect(points.steps == [0])
    #expect(points.mean == [2])
  }

  @Test("the whole range of UInt64 is cut into at most so many parts", arguments: [1, 2, 3, 1000])
  func wholeRange(maximumPoints: Int) {
    let series: [(UInt64, Double)] = [(0, 1), (1 << 32, 2), (1 << 63, 3), (.max - 1, 4), (.max, 5)]
    let points = points(series, steps: 0...(.max), maximumPoints: maximumPoints)
    #expect(points.steps.count <= maximumPoints)
    #expect(points.count.reduce(0, +) == 5)
    #expect(points.steps.first == 0)
    #expect(points.lastSteps.last == .max)
    #expect(points.max.last == 5)
  }

  @Test("the mean of values whose sum overflows is finite and between their bounds")
  func hugeValues() {
    let huge = Double.greatestFiniteMagnitude
    for values in [
      [huge, huge], [-huge, -huge, -huge], [huge, huge / 2, huge], [huge, huge, 1],
    ] {
      let series = values.enumerated().map { (UInt64($0.offset), $0.element) }
      let mean = points(series, steps: 0...9, maximumPoints: 1).mean[0]
      #expect(mean.isFinite)
      #expect(values.min().map { $0 <= mean } == true)
      #expect(values.max().map { mean <= $0 } == true)
    }
  }
}
