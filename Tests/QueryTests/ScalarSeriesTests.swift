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

  private func losses(_ scalars: StepScalars) -> [(name: String, value: Double)] {
    scalars.losses.map { ($0.name, $0.value) }
  }

  @Test("series come by name in the order in which they first appear")
  func names() throws {
    let reader = try reader([
      (0, [("loss", 4), ("kl", 1)]), (1, []), (2, [("aux", 7), ("loss", 3)]), (3, [("kl", .nan)]),
    ])
    let answer = try reader.scalars(
      steps: 0...9,
      maximumPoints: nil,
      pageSize: 100,
      values: losses
    )
    #expect(answer.next == nil)
    #expect(answer.series.map(\.name) == ["loss", "kl", "aux"])
    #expect(answer.series[0].points.steps == [0, 2])
    #expect(answer.series[0].points.last == [4, 3])
    #expect(answer.series[1].points.steps == [0, 3])
    #expect(answer.series[1].points.last[1].isNaN)
    #expect(answer.series[2].points.steps == [2])
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
      let page = try reader.scalars(
        steps: first...100,
        maximumPoints: nil,
        pageSize: 4,
        values: losses
      )
      #expect(page.series[0].points.count.allSatisfy { $0 == 1 })
      steps += page.series[0].points.steps
      next = page.next
    }
    #expect(steps == all.map(\.step))
    #expect(begins == [0, 12, 24])
  }

  @Test("a page that ends with the last step is the last page")
  func exactPage() throws {
    let reader = try reader((0..<4).map { ($0, [("loss", 1)]) })
    let page = try reader.scalars(steps: 0...9, maximumPoints: nil, pageSize: 4, values: losses)
    #expect(page.next == nil)
    #expect(page.series[0].points.steps.count == 4)
  }

  @Test("steps without any value count for the page, so that it ends")
  func emptySteps() throws {
    let reader = try reader((0..<10).map { ($0, $0 == 9 ? [("loss", 1)] : []) })
    let page = try reader.scalars(steps: 0...9, maximumPoints: nil, pageSize: 5, values: losses)
    #expect(page.series.isEmpty)
    #expect(page.next == 5)
  }

  @Test("points are not paged: every series is read whole and downsampled")
  func downsampled() throws {
    let reader = try reader((0..<100).map { ($0, [("loss", Double($0))]) })
    let answer = try reader.scalars(steps: 0...99, maximumPoints: 4, pageSize: 5, values: losses)
    #expect(answer.next == nil)
    #expect(answer.series[0].points.steps == [0, 25, 50, 75])
    #expect(answer.series[0].points.max == [24, 49, 74, 99])
  }

  @Test("every measurement is one over the longest range of steps too")
  func longestRange() throws {
    let reader = try reader([(0, [("loss", 1)]), (1, [("loss", 2)]), (.max, [("loss", 3)])])
    for last in [Step.maximum, UInt64.max - 1] {
      let answer = try reader.scalars(
        steps: 0...last,
        maximumPoints: nil,
        pageSize: 100,
        values: losses
      )
      #expect(answer.series[0].points.steps == [0, 1])
    }
  }
}
