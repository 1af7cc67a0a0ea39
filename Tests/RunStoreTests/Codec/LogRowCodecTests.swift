import RunStore
import Telemetry
import TelemetryTesting
import Testing

@Suite("Log row codec")
struct LogRowCodecTests {
  private func roundTrip(_ report: StepReport) throws -> StepReport {
    var body = ByteWriter()
    var histograms = ByteWriter()
    try LogRowCodec.writeBody(of: report, to: &body)
    guard LogRowCodec.hasHistograms(report) else {
      return try LogRowCodec.read(body: body.bytes, histograms: nil)
    }
    try LogRowCodec.writeHistograms(of: report, to: &histograms)
    return try LogRowCodec.read(body: body.bytes, histograms: histograms.bytes)
  }

  @Test(
    "a report is read back bit for bit, whatever was measured",
    arguments: 1...30 as ClosedRange<UInt64>
  )
  func random(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    for sequence in UInt64(1)...30 {
      let report = Samples.random(sequence, step: sequence, layers: 4, tensors: 9, using: &random)
      #expect(try exactly(roundTrip(report)) == exactly(report), "seed \(seed)")
    }
  }

  @Test("an empty report and the largest numbers are read back")
  func edges() throws {
    let empty = StepReport(
      sequence: 1,
      scalars: StepScalars(step: 0, wallTime: Samples.time(0))
    )
    #expect(try roundTrip(empty) == empty)
    var largest = StepScalars(step: Step.maximum, wallTime: Samples.time(WallTime.maximumSeconds))
    largest.batchSize = .max
    largest.droppedSteps = .max
    var report = StepReport(sequence: .max, scalars: largest)
    report.histograms = ExponentialHistogramColumn()
    report.explicitHistograms = ExplicitHistogramColumn()
    #expect(try roundTrip(report) == report)
  }

  @Test("counts of every width are read back, for every length of a run")
  func widths() throws {
    for count in 0...70 {
      var report = Samples.plain(1, step: 0)
      var column = ExponentialHistogramColumn()
      let counts = (0..<count).map { Samples.oddCounts[($0 * 5 + count) % Samples.oddCounts.count] }
      column.append(ExponentialHistogram(positive: .init(offset: 1, counts: counts)))
      column.append(ExponentialHistogram(negative: .init(offset: -1, counts: counts)))
      report.histograms = column
      #expect(try roundTrip(report) == report, "\(count) counts")
    }
  }

  @Test("a column that is not as long as its tensors is refused")
  func ragged() {
    func expectRefusal(_ detail: String, _ change: (inout StepReport) -> Void) {
      var report = Samples.plain(1, step: 0)
      change(&report)
      #expect(throws: CodecError(detail)) { try roundTrip(report) }
    }
    expectRefusal("gradientMean: expected 2 values, found 3") {
      $0.gradients.tensorIDs = [4, 2]
      $0.gradients.mean = [1, 2, 3]
    }
    expectRefusal("activations: expected an index below 131072, found 131072") {
      $0.activations.layerIDs = [131_072]
    }
    expectRefusal("histograms.counts: expected 3 counts, found 2") {
      var column = ExponentialHistogramColumn()
      column.append(ExponentialHistogram(positive: .init(counts: [1, 2, 3])))
      column.counts.removeLast()
      $0.histograms = column
    }
    expectRefusal("histograms: expected 1 values a column, found 0") {
      var column = ExponentialHistogramColumn()
      column.append(ExponentialHistogram())
      column.negativeLength = []
      $0.histograms = column
    }
    expectRefusal("explicit_histograms.counts: expected 3 counts a tensor, found 4 in all") {
      var column = ExplicitHistogramColumn()
      column.bounds = [0, 1]
      column.counts = [1, 2, 3, 4]
      $0.explicitHistograms = column
    }
  }
}
