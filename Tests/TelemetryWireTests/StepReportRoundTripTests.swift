import SwiftProtobuf
import Telemetry
import TelemetryTesting
import TelemetryWire
import Testing

@Suite("Reports over the wire")
struct StepReportRoundTripTests {
  @Test("a report with every field comes back byte for byte, NaN payloads and signs included")
  func bitForBit() throws {
    let wire = WireFixture.fullReport()
    let report = try StepReport(wire: try wire.sent())
    let back = Gradwatch_V1_StepReport(report)
    #expect(try back.bytes() == wire.bytes())
    #expect(try StepReport(wire: back.sent()).sequence == 41)
  }

  @Test("every bit of a float and of a double is kept")
  func randomBits() throws {
    var generator = SeededGenerator(seed: 21)
    for round in 0..<200 {
      var wire = WireFixture.report()
      wire.gradients.norm = (0..<50).map { _ in
        Float(bitPattern: UInt32(truncatingIfNeeded: generator.next()))
      }
      wire.activations.std = wire.gradients.norm.reversed()
      wire.globalNorm = Double(bitPattern: generator.next())
      wire.losses = [.with { ($0.name, $0.value) = ("loss", Double(bitPattern: generator.next())) }]
      let back = Gradwatch_V1_StepReport(try StepReport(wire: try wire.sent()))
      try #require(try back.bytes() == wire.bytes(), "round \(round)")
    }
  }

  @Test("every field of the wire goes to the member of its name")
  func scalars() throws {
    let report = try StepReport(wire: WireFixture.fullReport())
    let scalars = report.scalars
    #expect(report.sequence == 41)
    #expect(report.step == Step.maximum)
    #expect(scalars.wallTime.seconds == 1_700_000_000.25)
    #expect(scalars.losses.map(\.name) == (0..<10).map { "loss-\($0)" })
    #expect(
      scalars.losses.map(\.value.bitPattern) == WireFixture.oddDoubles.map(\.bitPattern)
    )
    #expect(scalars.learningRate?.bitPattern == (-0.0).bitPattern)
    #expect(scalars.globalNorm?.bitPattern == WireFixture.oddDoubles[0].bitPattern)
    #expect(
      scalars.clipping
        == Clipping(kind: .adaptive, threshold: .leastNonzeroMagnitude, clipped: true)
    )
    #expect(scalars.lossScale == .infinity)
    #expect(scalars.batchSize == UInt64(Int64.max))
    #expect(scalars.phase == .decay)
    #expect(scalars.droppedSteps == .max)
    #expect(
      scalars.annotations == [
        StepAnnotation(
          action: "lower_rate",
          detail: "learning rate 0.01 -> 0.002",
          alert: AlertID("0123456789abcdef")
        ), StepAnnotation(action: "stop"),
      ]
    )
  }

  @Test("the two flags are not taken for each other")
  func flags() throws {
    for (scaled, skipped) in [(true, false), (false, true)] {
      var wire = WireFixture.report()
      (wire.gradientsScaled, wire.optimizerSkipped) = (scaled, skipped)
      let scalars = try StepReport(wire: wire).scalars
      #expect(scalars.gradientsAreScaled == scaled)
      #expect(scalars.optimizerSkipped == skipped)
      #expect(Gradwatch_V1_StepReport(try StepReport(wire: wire)) == wire)
    }
  }

  @Test("every column of the wire goes to the column of its name")
  func columns() throws {
    let report = try StepReport(wire: WireFixture.fullReport())
    let gradients = report.gradients
    #expect(gradients.tensorIDs == Array(0..<11))
    let floats = [
      gradients.norm, gradients.mean, gradients.meanAbs, gradients.std, gradients.min,
      gradients.max,
    ]
    #expect(floats.map { $0.first } == [1, 2, 3, 4, 5, 6])
    #expect(floats.allSatisfy { $0.count == 11 })
    let counts = [
      gradients.zeroCount, gradients.nanCount, gradients.positiveInfinityCount,
      gradients.negativeInfinityCount,
    ]
    #expect(counts == [7, 8, 9, 10].map(WireFixture.counts))
    #expect(report.parameters.tensorIDs == (0..<11).reversed())
    #expect([report.parameters.norm.first, report.parameters.updateNorm.first] == [11, 12])
    let activations = report.activations
    #expect(activations.layerIDs == Array(0..<11))
    #expect(
      [
        activations.mean, activations.std, activations.zeroFraction,
        activations.saturatedFraction, activations.deadUnitFraction,
      ].map { $0.first } == [13, 14, 15, 16, 17]
    )
    #expect(report.timeStepNorms.map(\.layer) == [4, .max])
    #expect(report.timeStepNorms[0].positions == [0, 1, .max])
    #expect(report.timeStepNorms[0].norms[1].isNaN)
  }

  @Test("every column of a histogram goes to the column of its name")
  func histogramColumns() throws {
    let report = try StepReport(wire: WireFixture.fullReport())
    let histograms = try #require(report.histograms)
    #expect(histograms.tensorIDs == [3, 1])
    #expect(
      histograms.histograms == [
        ExponentialHistogram(
          scale: -2,
          zeroCount: .max,
          positive: .init(offset: -1100, counts: [1, 0]),
          negative: .init(offset: 1097, counts: [.max, 128, 1 << 40])
        ),
        ExponentialHistogram(
          scale: -2,
          zeroCount: 5,
          positive: .init(offset: 7),
          negative: .init(offset: -8, counts: [6])
        ),
      ]
    )
    let explicit = try #require(report.explicitHistograms)
    #expect(explicit.tensorIDs == [2, 0])
    #expect(explicit.bounds == [-1.5, -.leastNonzeroMagnitude, 0, 1e300])
    #expect(explicit.counts == [1, 2, 3, 4, 5, 6, 7, 8, 9, .max])
  }

  @Test("what was not measured is absent on both sides, and 0 is not absent")
  func absent() throws {
    let bare = try StepReport(wire: WireFixture.report().sent())
    #expect(bare.scalars.learningRate == nil)
    #expect(bare.scalars.globalNorm == nil)
    #expect(bare.scalars.clipping == nil)
    #expect(bare.scalars.lossScale == nil)
    #expect(bare.scalars.batchSize == nil)
    #expect(bare.scalars.primaryLoss == nil)
    #expect(bare.scalars.annotations.isEmpty)
    #expect(bare.histograms == nil && bare.explicitHistograms == nil)
    #expect(bare.gradients.isEmpty)
    #expect(try Gradwatch_V1_StepReport(bare).bytes() == WireFixture.report().bytes())

    var zeros = WireFixture.report()
    (zeros.learningRate, zeros.globalNorm, zeros.lossScale, zeros.batchSize) = (0, 0, 0, 0)
    let report = try StepReport(wire: zeros.sent())
    #expect(report.scalars.learningRate == 0)
    #expect(report.scalars.globalNorm == 0)
    #expect(report.scalars.lossScale == 0)
    #expect(report.scalars.batchSize == 0)
    #expect(try Gradwatch_V1_StepReport(report).bytes() == zeros.bytes())
  }

  @Test("a histogram column without histograms is not the absence of one")
  func emptyHistograms() throws {
    var wire = WireFixture.report()
    wire.histograms = .init()
    wire.explicitHistograms = .init()
    let report = try StepReport(wire: wire.sent())
    #expect(report.histograms == ExponentialHistogramColumn())
    #expect(report.explicitHistograms == ExplicitHistogramColumn())
    #expect(try Gradwatch_V1_StepReport(report).bytes() == wire.bytes())
  }
}
