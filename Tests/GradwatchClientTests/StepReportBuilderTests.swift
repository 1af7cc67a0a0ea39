import GradwatchClient
import Telemetry
import TelemetryWire
import Testing

@Suite("The columns of a report")
struct StepReportBuilderTests {
  private let model: Model
  private let time = WallTime(clamping: 1_000_000)

  init() throws {
    model = try Model(
      layers: [Layer(name: "a"), Layer(name: "b")],
      tensors: [
        Tensor(name: "a.weight", layer: 0, role: .weight, elementCount: 4),
        Tensor(name: "a.bias", layer: 0, role: .bias, elementCount: 2),
        Tensor(name: "b.weight", layer: 1, role: .weight, elementCount: 2),
      ]
    )
  }

  @Test("all tensors in registration order need no identifiers")
  func allTensors() {
    var builder = StepReportBuilder(model: model, step: 20, wallTime: time)
    builder.addGradient([3, -4, 0, 0], tensor: 0)
    builder.addGradient([.nan, 2], tensor: 1)
    builder.addGradient([.nan, -.infinity], tensor: 2)
    builder.scalars.losses = [NamedLoss(name: "loss", value: 1.5)]
    let report = builder.report()
    #expect(report.step == 20)
    #expect(report.scalars.primaryLoss == 1.5)
    #expect(report.gradients.tensorIDs == [])
    #expect(report.gradients.norm.prefix(2) == [5, 2])
    #expect(report.gradients.norm[2].isNaN)
    #expect(report.gradients.zeroCount == [2, 0, 0])
    #expect(report.gradients.nanCount == [0, 1, 1])
    #expect(report.gradients.negativeInfinityCount == [0, 0, 1])
    #expect(report.histograms?.tensorIDs == [])
    #expect(report.histograms?.histograms.map(\.total) == [4, 1, 0])
    #expect(report.parameters == ParameterColumns())
    #expect(report.activations == ActivationColumns())
  }

  @Test("what a loop did about an alert goes to the collector with the step")
  func annotations() throws {
    var builder = StepReportBuilder(model: model, step: 3, wallTime: time)
    let annotation = StepAnnotation(
      action: "lower_rate",
      detail: "learning rate 0.01 -> 0.002",
      alert: AlertID("0123456789abcdef")
    )
    builder.scalars.annotations.append(annotation)
    let message = Gradwatch_V1_StepReport(builder.report())
    #expect(message.annotations.map(\.action) == ["lower_rate"])
    #expect(message.annotations.map(\.detail) == ["learning rate 0.01 -> 0.002"])
    #expect(message.annotations.map(\.alertID) == ["0123456789abcdef"])
  }

  @Test("a tensor that is left out, or another order, needs identifiers")
  func someTensors() {
    var builder = StepReportBuilder(model: model, step: 10, wallTime: time)
    builder.addGradient([1, 1], tensor: 2)
    builder.addGradient([1, 0, 0, 0], tensor: 0)
    builder.add(ParameterSummary(norm: 2, updateNorm: 0.5), tensor: 1)
    builder.add(
      ActivationSummary([1, 2], unitCount: 2, shape: .unbounded),
      layer: 1
    )
    let report = builder.report()
    #expect(report.gradients.tensorIDs == [2, 0])
    #expect(report.gradients.norm == [Float(2).squareRoot(), 1])
    #expect(report.histograms?.tensorIDs == [2, 0])
    #expect(report.parameters.tensorIDs == [1])
    #expect(report.parameters.norm == [2])
    #expect(report.parameters.updateNorm == [0.5])
    #expect(report.activations.layerIDs == [1])
    #expect(report.activations.mean == [1.5])
  }

  @Test("all tensors in another order keep their identifiers")
  func permutedTensors() {
    var builder = StepReportBuilder(model: model, step: 1, wallTime: time)
    for tensor in [1, 0, 2] { builder.addGradient([Float(tensor)], tensor: tensor) }
    let report = builder.report()
    #expect(report.gradients.tensorIDs == [1, 0, 2])
    #expect(report.gradients.norm == [1, 0, 2])
  }

  @Test("histograms are taken on every tenth step by default, and statistics on all")
  func histogramInterval() {
    func histogramSteps(_ interval: UInt64?) -> [UInt64] {
      (0..<25).filter { step in
        var builder =
          interval.map {
            StepReportBuilder(model: model, step: step, wallTime: time, histogramInterval: $0)
          } ?? StepReportBuilder(model: model, step: step, wallTime: time)
        builder.addGradient([1, 2], tensor: 1)
        let report = builder.report()
        #expect(report.gradients.norm.count == 1)
        return report.histograms != nil
      }
    }
    #expect(histogramSteps(nil) == [0, 10, 20])
    #expect(histogramSteps(7) == [0, 7, 14, 21])
    #expect(histogramSteps(0) == [])
  }

  @Test("a norm that a Float can't hold is +Inf in its column")
  func overflowingNorm() {
    var builder = StepReportBuilder(model: model, step: 0, wallTime: time)
    builder.addGradient(
      [Float](repeating: .greatestFiniteMagnitude, count: 4),
      tensor: 0
    )
    #expect(builder.report().gradients.norm == [.infinity])
  }
}

@Suite("The summaries of parameters and activations")
struct OtherSummaryTests {
  @Test("parameter and update norms are those of the arrays", arguments: [0, 1, 8, 21])
  func parameters(count: Int) {
    let before = (0..<count).map { Float($0) - 3 }
    let after = before.map { $0 + 0.5 }
    let summary = before.withUnsafeBufferPointer { before in
      after.withUnsafeBufferPointer { ParameterSummary(before: before, after: $0) }
    }
    let square = before.reduce(0.0) { $0 + Double($1 * $1) }
    #expect(abs(summary.norm - square.squareRoot()) < 1e-12)
    #expect(abs(summary.updateNorm - 0.5 * Double(count).squareRoot()) < 1e-12)
  }

  @Test("a parameter that is not finite has a norm that is not finite")
  func nonFiniteParameters() {
    let before: [Float] = [1, 2]
    let after: [Float] = [.nan, 2]
    let summary = before.withUnsafeBufferPointer { before in
      after.withUnsafeBufferPointer { ParameterSummary(before: before, after: $0) }
    }
    #expect(summary.norm == 5.0.squareRoot())
    #expect(summary.updateNorm.isNaN)
  }

  @Test("a unit of a rectified layer is dead if it is 0 on the whole batch")
  func deadUnits() {
    let summary = ActivationSummary(
      [
        0, 1, 0,
        0, 0, 2,
      ],
      unitCount: 3,
      shape: .rectified
    )
    #expect(summary.deadUnitFraction == 1.0 / 3)
    #expect(summary.zeroFraction == 4.0 / 6)
    #expect(summary.saturatedFraction.isNaN)
    #expect(summary.mean == 0.5)
  }

  @Test("saturated is within 1 % of the range from a bound")
  func saturation() {
    let sigmoid = ActivationSummary(
      [0.005, 0.011, 0.5, 0.989, 0.995],
      unitCount: 5,
      shape: .bounded(0...1)
    )
    #expect(sigmoid.saturatedFraction == 0.4)
    #expect(sigmoid.deadUnitFraction.isNaN)
    let tanh = ActivationSummary(
      [-0.99, -0.97, 0, 0.985],
      unitCount: 2,
      shape: .bounded(-1...1)
    )
    #expect(tanh.saturatedFraction == 0.5)
  }

  @Test("no activations have no statistics")
  func noActivations() {
    let summary = ActivationSummary([], unitCount: 3, shape: .rectified)
    #expect(summary.mean.isNaN)
    #expect(summary.zeroFraction.isNaN)
    #expect(summary.deadUnitFraction.isNaN)
  }
}
