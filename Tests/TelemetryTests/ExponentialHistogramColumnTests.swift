import Telemetry
import TelemetryTesting
import Testing

@Suite("Columns of exponential histograms")
struct ExponentialHistogramColumnTests {
  @Test("a column lays histograms end to end, positive buckets before negative ones")
  func layout() {
    var column = ExponentialHistogramColumn()
    column.append(
      ExponentialHistogram(
        zeroCount: 3,
        positive: .init(offset: -4, counts: [1, 2]),
        negative: .init(offset: 5, counts: [3])
      )
    )
    column.append(ExponentialHistogram())
    column.append(ExponentialHistogram(negative: .init(offset: -1, counts: [4, 5, 6])))
    #expect(column.zeroCount == [3, 0, 0])
    #expect(column.positiveOffset == [-4, 0, 0])
    #expect(column.positiveLength == [2, 0, 0])
    #expect(column.negativeOffset == [5, 0, -1])
    #expect(column.negativeLength == [1, 0, 3])
    #expect(column.counts == [1, 2, 3, 4, 5, 6])
  }

  @Test("a column without histograms gives none")
  func empty() {
    #expect(ExponentialHistogramColumn().histograms.isEmpty)
  }

  @Test("histograms come out of a column as they went in", arguments: [Int32(-10), 0, 7, 20])
  func roundTrip(scale: Int32) throws {
    var generator = SeededGenerator(seed: 14)
    for round in 0..<100 {
      let histograms = (0..<Int.random(in: 0...20, using: &generator)).map { _ in
        ExponentialHistogram.random(scale: scale, using: &generator)
      }
      var column = ExponentialHistogramColumn()
      column.scale = scale
      for histogram in histograms { column.append(histogram) }
      try #require(column.histograms == histograms, "round \(round)")
    }
  }
}
