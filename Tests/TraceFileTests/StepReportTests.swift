import Foundation
import Ingest
import Telemetry
import Testing
import TraceFile

@Suite("The reports of a trace")
struct StepReportTests {
  private func reports(_ lines: String...) throws -> [StepReport] {
    let sample = try SampleTrace([SampleTrace.meta] + lines)
    let trace = try TraceFile(path: sample.path)
    var reports: [StepReport] = []
    while let report = try trace.nextReport() { reports.append(report) }
    return reports
  }

  private func full() throws -> StepReport { try #require(try reports(SampleTrace.full).first) }

  @Test("what concerns the whole step is kept, and only losses are losses")
  func scalars() throws {
    let scalars = try full().scalars
    #expect(scalars.step == 5)
    #expect(
      scalars.losses == [
        NamedLoss(name: "loss", value: 0.25), NamedLoss(name: "loss_g", value: -.infinity),
      ]
    )
    #expect(scalars.learningRate == 0.001)
    #expect(scalars.globalNorm == .infinity)
    #expect(scalars.clipping == Clipping(kind: .globalNorm, threshold: 1.5, clipped: true))
    #expect(scalars.lossScale == 1024)
    #expect(scalars.gradientsAreScaled)
    #expect(scalars.optimizerSkipped)
    #expect(scalars.batchSize == 16)
  }

  @Test("gradients have their columns, without the tensors that have none")
  func gradients() throws {
    let columns = try full().gradients
    #expect(columns.tensorIDs == [0, 2, 3, 4, 5, 6])
    #expect(same(columns.norm, [0.5, .nan, 0, .infinity, 1, 2]))
    #expect(same(columns.mean, [0.01, .nan, 0, 0, 0, 0.5]))
    #expect(same(columns.meanAbs, [0.02, .nan, 0, 0, 0, 0.5]))
    #expect(same(columns.std, [0.03, .nan, 0, 0, 0, 0.25]))
    #expect(same(columns.min, [-0.25, .nan, 0, -1, -1, -1]))
    #expect(same(columns.max, [0.25, .nan, 0, 1, 1, 1]))
    #expect(columns.zeroCount == [6, 0, 4, 0, 24, 3])
    #expect(columns.nanCount == [0, 24, 0, 0, 0, 1])
    #expect(columns.positiveInfinityCount == [0, 0, 0, 0, 0, 2])
    #expect(columns.negativeInfinityCount == [0, 0, 0, 0, 0, 3])
  }

  @Test("parameters that moved without a gradient are among the parameters")
  func parameters() throws {
    let columns = try full().parameters
    #expect(columns.tensorIDs == [0, 1, 2, 3, 4, 5, 6])
    #expect(same(columns.norm, [2.5, .nan, 3, 2, 0, 1, 1]))
    #expect(same(columns.updateNorm, [0.125, 0.0625, .nan, 0, .infinity, 0.5, 0.5]))
  }

  @Test("a bucket begins at half of 2 to its exponent, and unrecorded histograms are left out")
  func histograms() throws {
    let column = try #require(try full().histograms)
    #expect(column.tensorIDs == [0, 2, 3, 4, 6])
    #expect(column.scale == 0)
    let histograms = column.histograms
    #expect(
      histograms[0]
        == ExponentialHistogram(
          zeroCount: 6,
          positive: .init(offset: -3, counts: [1, 0, 2]),
          negative: .init(offset: -3, counts: [1])
        )
    )
    // frexp(0.125) = (0.5, -2)
    #expect(histograms[0].bounds(ofBucket: histograms[0].positive.offset) == 0.125..<0.25)
    #expect(histograms[1].total == 0)
    #expect(histograms[4].negative == .init(offset: -121, counts: [1]))
  }

  @Test("activations belong to their layers, and those that were not called are left out")
  func activations() throws {
    let columns = try full().activations
    #expect(columns.layerIDs == [5])
    #expect(columns.mean == [0.5])
    #expect(same(columns.std, [.nan]))
    #expect(columns.zeroFraction == [0])
    #expect(columns.saturatedFraction == [0.75])
    #expect(same(columns.deadUnitFraction, [.nan]))
  }

  @Test("activations come in the order of the layers, whatever that of the trace")
  func activationOrder() throws {
    let line = SampleTrace.full.replacingOccurrences(
      of: #""a":[[0.5,"nan",0,0.75,null],null]"#,
      with: #""a":[[1,1,0,0,null],[2,2,0,0,null]]"#
    )
    let columns = try #require(try reports(line).first).activations
    #expect(columns.layerIDs == [3, 5])
    #expect(columns.mean == [2, 1])
  }

  @Test("gradients through time belong to the recurrent layer")
  func timeSteps() throws {
    let profile = try #require(try full().timeStepNorms.first)
    #expect(profile.layer == 4)
    #expect(profile.positions == [0, 2, 9])
    #expect(same(profile.norms, [1e-30, .nan, .nan]))
  }

  @Test("what was not measured is absent")
  func bare() throws {
    let report = try #require(try reports(SampleTrace.bare).first)
    #expect(report.scalars.losses.map(\.value.isNaN) == [true])
    #expect(report.scalars.learningRate == nil)
    #expect(report.scalars.globalNorm == nil)
    #expect(report.scalars.clipping == nil)
    #expect(report.scalars.lossScale == nil)
    #expect(!report.scalars.optimizerSkipped)
    #expect(report.gradients.isEmpty)
    #expect(report.parameters == ParameterColumns())
    #expect(report.histograms == nil)
    #expect(report.activations == ActivationColumns())
    #expect(report.timeStepNorms.isEmpty)
  }

  @Test("a step takes a second")
  func time() throws {
    let reports = try reports(SampleTrace.full, SampleTrace.bare, "")
    try #require(reports.count == 2)
    #expect(reports[1].scalars.wallTime.seconds(since: reports[0].scalars.wallTime) == 5)
  }

  @Test("a collector takes them as they are")
  func accepted() throws {
    let sample = try SampleTrace([SampleTrace.meta])
    let model = try TraceFile(path: sample.path).header.model
    var sequencer = ProducerSequencer(model: model, lastSequence: 0, lastStep: nil)
    for (index, report) in try reports(SampleTrace.full, SampleTrace.bare).enumerated() {
      let sequence = UInt64(index) + 1
      let decision = sequencer.receive(.success(report), sequence: sequence)
      #expect(decision == .accept(report, rewinds: false) || containsNaN(decision, report))
    }
    #expect(sequencer.lastStep == 10)
  }

  /// Whether the report was accepted: one with NaN is not equal to itself.
  private func containsNaN(_ decision: Decision, _ report: StepReport) -> Bool {
    guard case .accept(let accepted, rewinds: false) = decision else { return false }
    return accepted.step == report.step
  }

  /// Equal, or both NaN.
  private func same(_ found: [Float], _ expected: [Float]) -> Bool {
    found.count == expected.count
      && zip(found, expected).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN }
  }
}
