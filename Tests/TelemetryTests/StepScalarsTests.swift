import Telemetry
import Testing

@Suite("Small value types")
struct StepScalarsTests {
  private func scalars(_ losses: [(String, Double)]) -> StepScalars {
    var scalars = StepScalars(step: 3, wallTime: WallTime(clamping: 1))
    scalars.losses = losses.map { NamedLoss(name: $0.0, value: $0.1) }
    return scalars
  }

  @Test("the primary loss is the one called loss, else the first, else none")
  func primaryLoss() {
    #expect(scalars([]).primaryLoss == nil)
    #expect(scalars([("kl", 2), ("mse", 3)]).primaryLoss == 2)
    #expect(scalars([("kl", 2), ("loss", 5), ("mse", 3)]).primaryLoss == 5)
    #expect(scalars([("Loss", 2), ("val_loss", 3)]).primaryLoss == 2)
  }

  @Test("a primary loss that is NaN or infinite is given as it is")
  func nonFiniteLoss() {
    #expect(scalars([("kl", 2), ("loss", .nan)]).primaryLoss?.isNaN == true)
    #expect(scalars([("loss", -.infinity)]).primaryLoss == -.infinity)
  }

  @Test("a new report holds its number and its scalars and no measurement")
  func report() {
    let report = StepReport(sequence: 9, scalars: scalars([]))
    #expect(report.sequence == 9)
    #expect(report.step == 3)
    #expect(report.gradients.isEmpty)
    #expect(report.histograms == nil)
    #expect(report.explicitHistograms == nil)
    #expect(report.scalars.phase == .unspecified)
  }

  @Test("gradient columns with one NaN, or with ids only, are not empty")
  func emptyColumns() {
    var columns = GradientColumns()
    #expect(columns.isEmpty)
    columns.std = [.nan]
    #expect(!columns.isEmpty)
    columns.std = []
    columns.tensorIDs = [0]
    #expect(!columns.isEmpty)
  }

  @Test("activation metrics are measured on layers, all others on tensors")
  func subjects() {
    let layers = Metric.allCases.filter { $0.subject == .layer }
    #expect(
      layers == [
        .activationMean, .activationStd, .activationZeroFraction, .activationSaturatedFraction,
        .activationDeadUnitFraction,
      ]
    )
  }

  @Test("severities ascend, and every alert but a resolved one is open")
  func ordersAndStates() {
    #expect(Severity.allCases.sorted() == [.info, .warning, .critical])
    #expect(!(Severity.critical < .critical))
    #expect(AlertState.allCases.filter(\.isOpen) == [.pending, .firing, .acknowledged])
  }
}
