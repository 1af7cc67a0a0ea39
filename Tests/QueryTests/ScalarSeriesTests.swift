import Query
import RunStore
import Telemetry
import Testing

@Suite("Values of the step as a whole")
struct ScalarSeriesTests {
  private func reader(_ losses: [(step: UInt64, losses: [(String, Double)])]) throws -> RunReader {
    var store = try FakeRunStore.run()
    store.scalars = losses.map { entry in
      var scalars = StepScalars(step: entry.step, wallTime: WallTime(clamping: 1))
      scalars.losses = entry.losses.map { NamedLoss(name: $0.0, value: $0.1) }
      return scalars
    }
    return try RunReader(run: RunID(stored: "run-1"), store: store)
  }

  private func exactly(_ slice: SeriesSlice) -> [String] {
    zip(slice.steps, slice.values).map { "\($0): \($1)" }
  }

  @Test("series come by name in the order in which they first appear")
  func names() throws {
    let reader = try reader([
      (0, [("loss", 4), ("kl", 1)]), (1, []), (2, [("aux", 7), ("loss", 3)]), (3, [("kl", .nan)]),
    ])
    let page = try reader.stepPage(.loss, steps: 0...9, size: 100) { _ in true }
    #expect(page.next == nil)
    #expect(page.series.map(\.name) == ["loss", "kl", "aux"])
    #expect(
      page.series.map { exactly($0.slice) } == [
        ["0: 4.0", "2: 3.0"], ["0: 1.0", "3: nan"], ["2: 7.0"],
      ]
    )
    let points = try reader.stepSeries(.loss, steps: 0...9, maximumPoints: 1) { $0 != "loss" }
    #expect(points.map(\.name) == ["kl", "aux"])
    #expect(points[0].points.count == [2])
    #expect(points[0].points.nonFiniteCount == [1])
  }

  @Test("pages of every measurement name the step at which the next begins, and lose none")
  func pages() throws {
    let all = (UInt64(0)..<10).map { (step: $0 * 3, losses: [("loss", Double($0))]) }
    let reader = try reader(all)
    var steps: [UInt64] = []
    var begins: [UInt64] = []
    var next: UInt64? = 0
    while let first = next, begins.count < 10 {
      begins.append(first)
      let page = try reader.stepPage(.loss, steps: first...27, size: 3) { _ in true }
      steps += page.series[0].slice.steps
      next = page.next
    }
    #expect(steps == all.map(\.step))
    // The store gives two steps at a time.
    #expect(begins == [0, 10, 22])
  }

  @Test("a page that ends with the last step is the last page")
  func exactPage() throws {
    let reader = try reader((0..<4).map { ($0, [("loss", 1)]) })
    let page = try reader.stepPage(.loss, steps: 0...3, size: 4) { _ in true }
    #expect(page.next == nil)
    #expect(page.series[0].slice.steps.count == 4)
  }

  @Test("steps without any value count for the page, so that it ends")
  func emptySteps() throws {
    let reader = try reader((0..<10).map { ($0, $0 == 9 ? [("loss", 1)] : []) })
    let page = try reader.stepPage(.loss, steps: 0...9, size: 5) { _ in true }
    #expect(page.series.isEmpty)
    #expect(page.next == 6)
  }

  @Test("points are not paged: every series is read whole and downsampled")
  func downsampled() throws {
    let reader = try reader((0..<100).map { ($0, [("loss", Double($0))]) })
    let series = try reader.stepSeries(.loss, steps: 0...99, maximumPoints: 4) { _ in true }
    #expect(series[0].points.steps == [0, 25, 50, 75])
    #expect(series[0].points.max == [24, 49, 74, 99])
  }

  @Test("every measurement is one over the longest range of steps too")
  func longestRange() throws {
    let reader = try reader([(0, [("loss", 1)]), (1, [("loss", 2)]), (.max, [("loss", 3)])])
    for last in [Step.maximum, UInt64.max - 1] {
      let page = try reader.stepPage(.loss, steps: 0...last, size: 100) { _ in true }
      #expect(page.series[0].slice.steps == [0, 1])
    }
  }

  @Test("every metric reads its own value, and none where there is none")
  func metrics() throws {
    var store = try FakeRunStore.run()
    var scalars = StepScalars(step: 3, wallTime: WallTime(clamping: 1))
    (scalars.learningRate, scalars.globalNorm, scalars.lossScale) = (0.5, .infinity, 1024)
    store.scalars = [StepScalars(step: 2, wallTime: WallTime(clamping: 1)), scalars]
    let reader = try RunReader(run: RunID(stored: "run-1"), store: store)
    let found = try StepMetric.allCases.flatMap { metric in
      try reader.stepPage(metric, steps: 0...9, size: 9) { _ in true }.series
        .map { "\(metric) \($0.name) \(exactly($0.slice))" }
    }
    #expect(
      found == [
        "learningRate learning_rate [\"3: 0.5\"]", "globalNorm global_norm [\"3: inf\"]",
        "lossScale loss_scale [\"3: 1024.0\"]",
      ]
    )
  }
}
