import Detection
import Telemetry
import Testing

@Suite("dead_relu")
struct DeadReLUTests {
  private static let rule = "dead_relu"

  /// Feeds reports with the shares of dead units that `shares` says.
  private func watch(_ model: Model, steps: Int, shares: (Int) -> [Float]) throws -> Watch {
    var watch = try Watch(model)
    for step in 0..<steps {
      var report = StepReport(step: UInt64(step))
      report.activations.deadUnitFraction = shares(step)
      watch.feed(report)
    }
    return watch
  }

  @Test("95 % dead units from the start are critical at the eighth report, with He's start first")
  func fromStart() throws {
    let net = try Net(depth: 4)
    let watch = try watch(net.model, steps: 60) {
      $0 < 20 ? [0.1, 0.1, 0.95, 0.1] : [0.1, 0.1, 0, 0.1]
    }
    // The average of ten reports is below 0.8 with the second clean one, and a warning till then.
    #expect(
      watch.life(Self.rule) == [
        "pending critical @3", "firing critical @7", "resolved critical @41",
      ]
    )
    let alert = try #require(watch.alerts(Self.rule).first)
    #expect(alert.scope == .layers(2...2))
    #expect(alert.evidence.layers == ["dense_2"])
    #expect(
      alert.remedies.first?.action == "initialize weights with Kaiming (He), and biases with 0"
    )
  }

  @Test("units that die later warn once the average is past 0.75, and the rate comes first")
  func later() throws {
    let net = try Net(depth: 4)
    let watch = try watch(net.model, steps: 140) { [0.1, $0 < 100 ? 0.2 : 0.8, 0.1, 0.1] }
    // 0.8 - 0.6 * 0.9^n passes 0.75 with n = 24, the report of step 123.
    #expect(watch.life(Self.rule) == ["pending warning @126", "firing warning @130"])
    #expect(watch.open(Self.rule)?.firstStep == 123)
    #expect(watch.open(Self.rule)?.remedies.first?.action == "lower the learning rate")
  }

  @Test(
    "it is raised at the coarsest place that explains it",
    arguments: [
      ([3, 4], [AlertScope.layers(3...5)]),  // two of three layers of a block
      ([5, 6], [.layers(5...6)]),  // neighbours
      ([2, 9], [.layers(2...2), .layers(9...9)]),
      ([0, 2, 4, 6, 8, 10], [.run]),
    ]
  )
  func scopes(_ dead: [Int], _ scopes: [AlertScope]) throws {
    let watch = try watch(try Net.blocks(4, width: 3), steps: 8) { _ in
      (0..<12).map { dead.contains($0) ? 0.95 : 0.1 }
    }
    #expect(watch.alerts(Self.rule).map(\.scope) == scopes)
  }

  @Test(
    "traps stay silent",
    arguments: ["sparse", "deep plain net", "batch of 4", "NaN", "not measured", "expert", "short"]
  )
  func traps(_ trap: String) throws {
    let net = try Net(depth: 4)
    var watch = try Watch(net.model)
    for step in 0..<60 {
      var report = net.report(UInt64(step))
      let dead: Float = 0.95
      switch trap {
      case "sparse":
        report.activations.zeroFraction = [0.95, 0.95, 0.95, 0.95]
        report.activations.deadUnitFraction = [0.3, 0.3, 0.3, 0.3]
      case "deep plain net": report.activations.deadUnitFraction = [0.5, 0.52, 0.55, 0.6]
      case "batch of 4":
        report.scalars.batchSize = 4
        report.activations.deadUnitFraction = [dead, dead, dead, dead]
      case "NaN":
        report.gradients.norm[0] = .nan
        report.activations.deadUnitFraction = [dead, dead, dead, dead]
      case "not measured": report.activations.deadUnitFraction = [.nan, .nan, .nan, .nan]
      case "expert":
        // Layer 2 gets no tokens in one step of four, and is not reported in another one.
        report.activations.layerIDs = step % 4 == 1 ? [0, 1, 3] : [0, 1, 2, 3]
        report.activations.deadUnitFraction =
          step % 4 == 1 ? [0.1, 0.1, 0.1] : [0.1, 0.1, step % 4 == 2 ? 1 : 0.2, 0.1]
      default: report.activations.deadUnitFraction = [dead, dead]
      }
      watch.feed(report)
    }
    #expect(watch.life(Self.rule) == [])
  }
}
