import Query
import RunStore
import Telemetry
import Testing

@Suite("Merging histograms of a range of steps")
struct HistogramPointTests {
  private func exponential(
    _ counts: [UInt64],
    scale: Int32 = 0,
    offset: Int32 = 0
  ) -> GradientHistogram {
    .exponential(
      ExponentialHistogram(
        scale: scale,
        zeroCount: 1,
        positive: .init(offset: offset, counts: counts)
      )
    )
  }

  private func explicit(_ counts: [UInt64], bounds: [Double] = [0]) -> GradientHistogram {
    .explicit(ExplicitHistogram(bounds: bounds, counts: counts))
  }

  /// The points of an answer, of which at most `limit` are taken.
  private func points(
    _ histograms: [(UInt64, GradientHistogram)],
    steps: ClosedRange<UInt64>,
    maximumPoints: Int?,
    limit: Int = .max
  ) throws -> [HistogramPoint] {
    var store = try FakeRunStore.run()
    store.histograms = histograms
    let reader = try RunReader(run: RunID(stored: "run-1"), store: store)
    var points: [HistogramPoint] = []
    try reader.histograms(of: [0], steps: steps, maximumPoints: maximumPoints) { _, point in
      points.append(point)
      return points.count < limit
    }
    return points
  }

  @Test("the histograms of each part of the range are merged into one")
  func ranges() throws {
    let points = try points(
      [
        (10, exponential([1])), (12, exponential([2], offset: 1)), (14, exponential([3])),
        (15, exponential([4])), (29, exponential([5])),
      ],
      steps: 10...29,
      maximumPoints: 4
    )
    #expect(points.map(\.firstStep) == [10, 15, 29])
    #expect(points.map(\.lastStep) == [14, 15, 29])
    #expect(points.map(\.mergedCount) == [3, 1, 1])
    #expect(
      points[0].histogram
        == .exponential(
          ExponentialHistogram(zeroCount: 3, positive: .init(offset: 0, counts: [4, 2]))
        )
    )
  }

  @Test("without a maximum every histogram is a point")
  func fullResolution() throws {
    let histograms = (UInt64(0)..<5).map { ($0, exponential([$0])) }
    let points = try points(histograms, steps: 0...4, maximumPoints: nil)
    #expect(points.map(\.firstStep) == [0, 1, 2, 3, 4])
    #expect(points.map(\.histogram) == histograms.map(\.1))
    #expect(points.allSatisfy { $0.mergedCount == 1 && $0.firstStep == $0.lastStep })
  }

  @Test("no histogram gives no point")
  func none() throws {
    #expect(try points([], steps: 0...9, maximumPoints: 3).isEmpty)
    #expect(try points([(50, exponential([1]))], steps: 0...9, maximumPoints: nil).isEmpty)
  }

  @Test("exponential histograms of two scales merge at the coarser one")
  func scales() throws {
    let points = try points(
      [(0, exponential([1, 2], scale: 1)), (1, exponential([4], scale: 0))],
      steps: 0...9,
      maximumPoints: 1
    )
    #expect(
      points.map(\.histogram) == [
        .exponential(ExponentialHistogram(zeroCount: 2, positive: .init(counts: [7])))
      ]
    )
  }

  @Test("explicit histograms merge if their bounds are the same")
  func explicitBounds() throws {
    let points = try points(
      [
        (0, explicit([1, 2])), (1, explicit([10, .max])), (2, explicit([5, 6], bounds: [1])),
        (3, explicit([7, 8], bounds: [1])), (4, explicit([9, 9])),
      ],
      steps: 0...9,
      maximumPoints: 1
    )
    #expect(
      points.map(\.histogram) == [
        explicit([20, 10]), explicit([12, 14], bounds: [1]),
      ]
    )
    #expect(points.map(\.firstStep) == [0, 2])
    #expect(points.map(\.lastStep) == [4, 3])
  }

  @Test("a step's two forms, and forms that take turns, make two points of a range")
  func turns() throws {
    let histograms = (UInt64(0)..<60).flatMap { step in
      step < 30
        ? [(step, exponential([1])), (step, explicit([1, 0]))]
        : [(step, step % 2 == 0 ? exponential([1]) : explicit([1, 0]))]
    }
    let points = try points(histograms, steps: 0...59, maximumPoints: 2)
    #expect(points.map(\.firstStep) == [0, 0, 30, 31])
    #expect(points.map(\.lastStep) == [29, 29, 58, 59])
    #expect(points.map(\.mergedCount) == [30, 30, 15, 15])
  }

  @Test("histograms of two forms are never merged")
  func forms() throws {
    let points = try points(
      [
        (0, exponential([1])), (1, explicit([1, 2])), (2, explicit([3, 4])), (3, exponential([5])),
      ],
      steps: 0...9,
      maximumPoints: 1
    )
    #expect(points.map(\.mergedCount) == [2, 2])
    #expect(
      points.map(\.histogram) == [
        .exponential(ExponentialHistogram(zeroCount: 2, positive: .init(counts: [6]))),
        explicit([4, 6]),
      ]
    )
  }

  @Test("a reader that has enough is given no more", arguments: [1, 2, 3])
  func stops(limit: Int) throws {
    let histograms = (UInt64(0)..<10).map { ($0, exponential([$0])) }
    for maximumPoints in [nil, 5] {
      let points = try points(
        histograms,
        steps: 0...9,
        maximumPoints: maximumPoints,
        limit: limit
      )
      #expect(points.count == limit)
    }
  }

  @Test("one point may cover the whole range of UInt64")
  func wholeRange() throws {
    let points = try points(
      [(0, exponential([1])), (1 << 63, exponential([2])), (.max, exponential([3]))],
      steps: 0...(.max),
      maximumPoints: 1
    )
    #expect(points.map(\.mergedCount) == [3])
  }
}
