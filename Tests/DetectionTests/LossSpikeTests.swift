import Detection
import Telemetry
import Testing

@Suite("loss_spike")
struct LossSpikeTests {
  private static let rule = "loss_spike"

  /// A loss of 1 with 5 % of noise.
  private static func noisy(_ step: Int) -> Double {
    var noise = Noise(seed: UInt64(step))
    return 0.95 + 0.1 * noise.fraction()
  }

  @Test("a loss of 5 after 1 warns at that step, and resolves 20 reports later")
  func spike() throws {
    let watch = try Watch(steps: 140) { $0 == 100 ? 5 : Self.noisy($0) }
    #expect(watch.life(Self.rule) == ["firing warning @100", "resolved warning @120"])
    let alert = try #require(watch.alerts(Self.rule).first)
    #expect(alert.scope == .run)
    #expect(alert.evidence.observed == 5)
    #expect(alert.evidence.recent.count == 20)
    #expect(alert.remedies.first?.action.hasPrefix("look at the batch") == true)
  }

  @Test(
    "a rise that the last update can't have made is the batch's",
    arguments: [Float(0.008), 10]
  )
  func cause(update: Float) throws {
    let watch = try Watch(
      steps: 110,
      change: { $1.parameters.updateNorm = [update, update, update, update] },
      loss: { $0 == 100 ? 5 : Self.noisy($0) }
    )
    let alert = try #require(watch.alerts(Self.rule).first)
    #expect(alert.cause.contains("the last update was far too small") == (update < 1))
    #expect(alert.cause.hasPrefix("an odd batch"))
  }

  @Test("one that has not come back within 200 reports is critical")
  func lingering() throws {
    let watch = try Watch(steps: 340) { ($0 < 100 ? 1 : 5) * Self.noisy($0) }
    #expect(
      watch.life(Self.rule) == [
        "firing warning @100", "firing critical @300", "resolved critical @320",
      ]
    )
    #expect(watch.alerts(Self.rule).last?.cause.hasPrefix("the loss has not come back") == true)
  }

  @Test("one extreme first loss does not hide a spike")
  func extremeStart() throws {
    let watch = try Watch(steps: 80) { $0 == 0 ? 1e20 : $0 == 60 ? 5 : Self.noisy($0) }
    #expect(watch.life(Self.rule) == ["firing warning @60"])
    let healthy = try Watch(steps: 80) { $0 == 0 ? 1e20 : Self.noisy($0) }
    #expect(healthy.life(Self.rule) == [])
  }

  @Test("during warm-up it is info")
  func warmup() throws {
    let watch = try Watch(steps: 110, change: { $1.scalars.phase = .warmup }) {
      $0 == 100 ? 5 : Self.noisy($0)
    }
    #expect(watch.life(Self.rule) == ["firing info @100"])
  }

  @Test(
    "traps stay silent",
    arguments: [
      "falling", "converged", "negative", "early", "batch size", "NaN", "skipped", "heavy tail",
      "warm restart",
    ]
  )
  func traps(_ trap: String) throws {
    let watch = try Watch(
      steps: trap == "converged" ? 1500 : 400,
      change: { step, report in
        if trap == "batch size" { report.scalars.batchSize = step < 100 ? 32 : 512 }
        if trap == "skipped" { report.scalars.optimizerSkipped = step == 100 }
        if trap == "warm restart" {
          report.scalars.learningRate = 0.01 * (1 - Double(step % 100) / 100)
        }
      },
      loss: { step in
        var noise = Noise(seed: UInt64(step))
        switch trap {
        case "falling": return 10 * Self.noisy(step) / (1 + 0.05 * Double(step))
        // 1e-5 after 1e-6, from a start of 1.
        case "converged": return step == 1400 ? 1e-5 : max(1e-6, Double(power(0.9, step)))
        case "negative": return step % 100 == 50 ? 5 : -Self.noisy(step)
        case "early": return step == 12 ? 5 : Self.noisy(step)
        case "batch size": return step < 100 ? Self.noisy(step) : 5 * Self.noisy(step)
        case "NaN": return step == 100 ? .nan : Self.noisy(step)
        case "skipped": return step == 100 ? 50 : Self.noisy(step)
        // A Pareto tail with exponent 4 of all losses, as of batches of one.
        case "heavy tail": return 0.3 / noise.fraction().squareRoot().squareRoot()
        default: return Self.noisy(step) * (step % 100 < 10 && step > 100 ? 1.5 : 1)
        }
      }
    )
    #expect(watch.life(Self.rule) == [])
  }
}
