import Detection
import Telemetry
import Testing

@Suite("loss_divergence")
struct LossDivergenceTests {
  private static let rule = "loss_divergence"

  @Test("a loss at five times its best warns after 20 reports, and resolves once it is back")
  func rises() throws {
    let watch = try Watch(steps: 220) { (100..<140).contains($0) ? 5 : 1 }
    // The average over ten reports passes 3 at the seventh of them, which is judged at the next.
    #expect(
      watch.life(Self.rule).prefix(2) == ["pending warning @116", "firing warning @126"]
    )
    // 1 + 3.94 * 0.9^n is below 1.8 with the 16th report after, judged at step 156.
    #expect(watch.life(Self.rule).last == "resolved warning @185")
    let alert = try #require(watch.alerts(Self.rule).first)
    #expect(alert.firstStep == 107)
    #expect(alert.scope == .run)
    #expect(alert.remedies.first?.action == "lower the learning rate by 3 to 10 times")
  }

  @Test("ten times its best for as long is critical")
  func risesFar() throws {
    let watch = try Watch(steps: 130) { $0 < 100 ? 1 : 20 }
    #expect(
      watch.life(Self.rule) == [
        "pending critical @111", "firing warning @121", "firing critical @126",
      ]
    )
  }

  @Test("a loss that is on its way back, as after a layer was drawn anew, is not told of")
  func comesBack() throws {
    // Nine times the best, and then 6 % less with each report, which halves it in eleven.
    let watch = try Watch(steps: 220) { $0 < 100 ? 1 : 1 + 8 * Double(power(0.94, $0 - 100)) }
    #expect(watch.life(Self.rule) == ["pending warning @112", "resolved warning @140"])
  }

  @Test("one that comes back only to four times its best is told of once it stays there")
  func staysHalfWay() throws {
    let watch = try Watch(steps: 220) { $0 < 100 ? 1 : 4 + 16 * Double(power(0.9, $0 - 100)) }
    #expect(watch.life(Self.rule) == ["pending warning @111", "firing warning @151"])
  }

  @Test("two tenfold jumps in a row are critical at the second, and a thousandfold first one alone")
  func jumps() throws {
    #expect(try Watch(steps: 3) { [1, 20, 400][$0] }.life(Self.rule) == ["firing critical @2"])
    #expect(try Watch(steps: 2) { [1, 2000][$0] }.life(Self.rule) == ["firing critical @1"])
  }

  @Test("during warm-up it is info")
  func warmup() throws {
    let watch = try Watch(steps: 140, change: { $1.scalars.phase = .warmup }) {
      $0 < 100 ? 1 : 5
    }
    #expect(watch.life(Self.rule).last == "firing info @126")
  }

  @Test(
    "traps stay silent",
    arguments: [
      "converged", "game of two nets", "negative", "one spike", "twice the best", "noise",
      "warm restart", "batch of one", "late giant", "NaN",
    ]
  )
  func traps(_ trap: String) throws {
    var noise = Noise(seed: 5)
    let watch = try Watch(
      steps: 1300,
      change: { step, report in
        if trap == "game of two nets" {
          report.scalars.losses.append(NamedLoss(name: "generator", value: 1))
        }
        if trap == "warm restart" {
          report.scalars.learningRate = 0.01 * (1.01 - Double(step % 100) / 100)
        }
      },
      loss: { step in
        switch trap {
        case "converged": step < 30 ? 1 : step < 1000 ? 1e-6 : 1e-5
        case "game of two nets": step < 100 ? 1 : 8
        // Around 0, where the best of ratios means nothing.
        case "negative": step < 5 || step >= 100 ? 1 : step % 2 == 0 ? 0.1 : -0.01
        case "one spike": step == 100 ? 40 : 1
        case "twice the best": step < 100 ? 1 : 2
        case "noise": 0.2 + 2 * noise.fraction()
        case "warm restart": step % 100 < 30 && step > 100 ? 2.2 : 1
        case "batch of one": 0.5 / (0.01 + noise.fraction()).squareRoot()
        case "late giant": step == 100 ? 1e5 : 1
        default: [50, 51].contains(step % 100) ? .infinity : step % 100 == 70 ? .nan : 1
        }
      }
    )
    #expect(watch.life(Self.rule) == [])
  }
}
