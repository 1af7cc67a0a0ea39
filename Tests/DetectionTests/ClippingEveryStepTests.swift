import Detection
import Telemetry
import Testing

@Suite("clipping_every_step")
struct ClippingEveryStepTests {
  private static let rule = "clipping_every_step"

  private func watch(steps: Int, change: (Int, inout StepReport) -> Void) throws -> Watch {
    let net = try Net(depth: 2)
    var watch = try Watch(net.model)
    for step in 0..<steps {
      var report = net.report(UInt64(step))
      change(step, &report)
      watch.feed(report)
    }
    return watch
  }

  @Test("a clipper that halves every gradient warns after 100 reports, and resolves")
  func mild() throws {
    let watch = try watch(steps: 220) { $1.clip(at: 1, norm: $0 < 120 ? 2 : 0.5) }
    // The share is below one half 35 reports after the last clipped one.
    #expect(watch.life(Self.rule) == ["firing warning @99", "resolved warning @193"])
    let alert = try #require(watch.alerts(Self.rule).first)
    #expect(alert.scope == .run)
    #expect(alert.evidence.observed == 1)
    #expect(alert.firstStep == 0)
    #expect(alert.remedies.first?.action.hasPrefix("look at initialization") == true)
  }

  @Test("a mild clipper beside a loss that falls is info", arguments: [0.95, 0.85])
  func learning(level: Double) throws {
    let watch = try watch(steps: 110) {
      $1.clip(at: 1, norm: 2)
      $1.setLoss($0 < 20 ? 1 : level)
    }
    let severity = level < 0.9 ? "info" : "warning"
    #expect(watch.life(Self.rule) == ["firing \(severity) @99"])
  }

  @Test("one that leaves a hundredth warns after 25 reports")
  func severe() throws {
    let watch = try watch(steps: 30) { $1.clip(at: 1, norm: 100) }
    #expect(watch.life(Self.rule) == ["firing warning @24"])
    #expect(watch.open(Self.rule)?.evidence.facts["factor"] == "0.01")
  }

  @Test("so does clipping by value far below the largest element")
  func byValue() throws {
    let watch = try watch(steps: 30) {
      $1.clip(.value, at: 0.05, norm: 1, clipped: true)
      $1.gradients.max = [1, 0.5, 0.2, 0.1]
      $1.gradients.min = [-0.1, -0.1, -0.1, -0.1]
    }
    #expect(watch.life(Self.rule) == ["firing warning @24"])
  }

  @Test("two steps of three are info")
  func often() throws {
    let watch = try watch(steps: 110) { $1.clip(at: 1, norm: $0 % 3 == 0 ? 0.5 : 2) }
    #expect(watch.life(Self.rule).first == "firing info @99")
    #expect(watch.warned.isEmpty)
  }

  @Test("a threshold that was raised is judged anew (seed 000's growing schedule)")
  func raised() throws {
    let watch = try watch(steps: 200) { $1.clip(at: $0 < 80 ? 1 : 3, norm: $0 < 80 ? 2 : 2.5) }
    #expect(watch.life(Self.rule) == [])
  }

  @Test(
    "traps stay silent",
    arguments: ["adaptive", "first 60 steps", "skipped", "unknown", "one in ten", "no clipping"]
  )
  func traps(_ trap: String) throws {
    let watch = try watch(steps: 300) { step, report in
      switch trap {
      case "adaptive": report.clip(.adaptive, at: 0.1, norm: 10)
      case "first 60 steps": report.clip(at: 1, norm: step < 60 ? 3 : 0.5)
      case "skipped":
        report.clip(at: 1, norm: 100)
        report.scalars.optimizerSkipped = true
      case "unknown": report.clip(.value, at: 0.1, norm: 1, clipped: true)
      case "one in ten": report.clip(at: 1, norm: step % 10 == 0 ? 3 : 0.5)
      default: break
      }
    }
    #expect(watch.life(Self.rule) == [])
  }
}
