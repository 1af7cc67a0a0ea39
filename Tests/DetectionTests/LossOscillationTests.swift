import Detection
import Telemetry
import Testing

@Suite("loss_oscillation")
struct LossOscillationTests {
  private static let rule = "loss_oscillation"

  /// Lets a report's gradient and updates be as large as those of a step over a minimum.
  private static func overshoot(_ step: Int, _ report: inout StepReport) {
    report.parameters.updateNorm = [1, 1, 1, 1]
  }

  @Test("a loss that swings between 1 and 1.5 warns after 47 reports, and resolves")
  func swings() throws {
    let watch = try Watch(steps: 260, change: Self.overshoot) {
      $0 < 100 && $0 % 2 == 1 ? 1.5 : 1
    }
    let life = watch.life(Self.rule)
    #expect(life.prefix(2) == ["pending warning @38", "firing warning @46"])
    #expect(life.last?.hasPrefix("resolved warning") == true)
    #expect(life.count == 3)
    let alert = try #require(watch.alerts(Self.rule).first)
    #expect(alert.scope == .run)
    // It needs 32 losses, and has had them since the start.
    #expect(alert.firstStep == 0)
    #expect(alert.remedies.first?.action == "lower the learning rate by 3 to 10 times")
  }

  @Test("noise on top of the swing does not hide it")
  func noisySwing() throws {
    var noise = Noise(seed: 3)
    let watch = try Watch(steps: 120, change: Self.overshoot) {
      ($0 % 2 == 1 ? 1.6 : 1) + 0.2 * noise.fraction()
    }
    #expect(watch.life(Self.rule).last?.hasPrefix("firing warning") == true)
  }

  @Test("during warm-up it is info")
  func warmup() throws {
    let watch = try Watch(
      steps: 60,
      change: { step, report in
        Self.overshoot(step, &report)
        report.scalars.phase = .warmup
      },
      loss: { $0 % 2 == 1 ? 1.5 : 1 }
    )
    #expect(watch.life(Self.rule).last == "firing info @46")
  }

  @Test(
    "swings that no update explains are those of the data, even if updates are told now and then only",
    arguments: ["updates", "no updates", "every tenth", "every tenth, overshooting"]
  )
  func unexplained(_ kind: String) throws {
    let watch = try Watch(
      steps: 120,
      change: { step, report in
        if kind.hasSuffix("overshooting") { Self.overshoot(step, &report) }
        let isTold = kind == "updates" || kind != "no updates" && step % 10 == 0
        if !isTold { report.parameters = ParameterColumns() }
      },
      loss: { $0 % 2 == 1 ? 1.5 : 1 }
    )
    let isFound = ["no updates", "every tenth, overshooting"].contains(kind)
    #expect(watch.life(Self.rule).contains("firing warning @46") == isFound)
  }

  @Test(
    "traps stay silent",
    arguments: [
      "noise", "heavy tail", "falling", "small swing", "converged", "two losses", "negative",
      "slow cycle", "one spike",
    ]
  )
  func traps(_ trap: String) throws {
    for seed in 1...5 {
      var noise = Noise(seed: UInt64(seed))
      let watch = try Watch(
        steps: 800,
        change: { _, report in
          guard trap == "two losses" else { return }
          report.scalars.losses.append(NamedLoss(name: "generator", value: 1))
        },
        loss: { step in
          let swing = step % 2 == 1 ? 1.5 : 1.0
          switch trap {
          case "noise": return 0.5 + noise.fraction()
          case "heavy tail": return 0.3 / noise.fraction().squareRoot()
          case "falling": return (1 + 0.3 * noise.fraction()) / (1 + 0.02 * Double(step))
          case "small swing": return 1 + 0.05 * Double(step % 2)
          case "converged": return step < 100 ? 1000 / Double(1 + step * step) : swing
          case "two losses": return swing
          case "negative": return step < 5 ? 1 : step % 2 == 1 ? 0.5 : -0.3
          // A learning rate that cycles over 40 steps.
          case "slow cycle": return 1 + 0.15 * Double(abs(step % 40 - 20))
          default: return step == 100 ? 30 : 1
          }
        }
      )
      #expect(!watch.life(Self.rule).contains { $0.hasPrefix("firing") }, "seed \(seed)")
    }
  }
}
