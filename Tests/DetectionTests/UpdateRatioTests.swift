import Detection
import Telemetry
import Testing

@Suite("update_ratio_too_high and update_ratio_too_low")
struct UpdateRatioTests {
  private static let high = "update_ratio_too_high"
  private static let low = "update_ratio_too_low"

  /// Feeds reports whose weights have the norm 8 and move by 8 times `ratio`.
  private func watch(
    steps: Int,
    loss: (Int) -> Double? = { _ in 1 },
    change: (Int, inout StepReport) -> Void = { _, _ in },
    ratio: (Int) -> Float
  ) throws -> Watch {
    let net = try Net(depth: 4)
    var watch = try Watch(net.model)
    for step in 0..<steps {
      var report = net.report(UInt64(step), loss: loss(step), update: 8 * ratio(step))
      change(step, &report)
      watch.feed(report)
    }
    return watch
  }

  @Test("15 % a step warns once ten reports after the first ten show it, and resolves")
  func high() throws {
    let watch = try watch(steps: 60) { $0 < 30 ? 0.15 : 0.01 }
    #expect(
      watch.life(Self.high) == [
        "pending warning @14", "firing warning @19", "resolved warning @49",
      ]
    )
    let alert = try #require(watch.alerts(Self.high).first)
    #expect(alert.scope == .run)
    #expect(alert.evidence.layers == ["dense_0", "dense_1", "dense_2", "dense_3"])
    #expect(alert.remedies.first?.action == "lower the learning rate about 50 times")
  }

  @Test(
    "a factor that hardly any rate is wrong by is not told, and what else may be too large comes next"
  )
  func hopeless() throws {
    let watch = try watch(steps: 20) { _ in 40 }
    let alert = try #require(watch.alerts(Self.high).first)
    #expect(
      alert.remedies.map(\.action).prefix(2) == [
        "lower the learning rate 100 times, or more", "scale inputs and targets to unit variance",
      ]
    )
  }

  @Test("the way that a higher rate went is over when the rate is cut")
  func cutRate() throws {
    let watch = try watch(
      steps: 40,
      change: { $1.scalars.learningRate = $0 < 3 ? 1 : 0.001 },
      ratio: { $0 < 3 ? 1.6 : 0.005 }
    )
    // Twenty clean reports later; the sum of twelve would have held it for nine more.
    #expect(watch.life(Self.high).last == "resolved critical @22")
  }

  @Test("one layer of four that moves by half its weight a step is named")
  func oneLayer() throws {
    let watch = try watch(
      steps: 30,
      change: { _, report in report.parameters.updateNorm[2] = 4 },
      ratio: { _ in 0.01 }
    )
    #expect(watch.life(Self.high) == ["pending warning @14", "firing warning @19"])
    let alert = try #require(watch.alerts(Self.high).first)
    #expect(alert.scope == .layers(1...1))
    #expect(alert.evidence.layers == ["dense_1"])
  }

  @Test("updates of twice the weights are critical when they have gone the whole way")
  func replacing() throws {
    let path = try #require(Detector.standard(Self.high, "warning_path"))
    let reports = Int((path / 2).rounded(.up))
    let watch = try watch(steps: reports) { _ in 2.001 }
    #expect(watch.life(Self.high) == ["firing critical @\(reports - 1)"])
  }

  @Test(
    "a few first steps of 0.9 that add up to the whole way warn, and resolve once they are over"
  )
  func path() throws {
    let path = try #require(Detector.standard(Self.high, "warning_path"))
    let first = Int((path / 0.9).rounded(.up))
    let watch = try watch(steps: 60) { $0 < first ? 0.9 : 0.01 }
    // The sum over twelve reports falls below the bound when the first of them leaves it.
    #expect(watch.life(Self.high) == ["firing warning @\(first - 1)", "resolved warning @31"])
  }

  @Test(
    "weights that soon are four times as large as at first warn although few updates were seen",
    arguments: ["all", "one layer", "slow", "from elsewhere", "one layer, threefold", "head"]
  )
  func growth(_ kind: String) throws {
    let net = try Net(depth: 4)
    var watch = try Watch(net.model)
    // Every tenth step tells its update; those in between went as far.
    for step in stride(from: 0, to: 100, by: 10) {
      var report = net.report(UInt64(step), update: 0.2)
      let one = kind == "head" ? 3 : 1
      for layer in 0..<4 where kind == "all" || kind == "slow" || layer == one {
        let growth: Float = kind == "slow" ? 0.2 : kind == "all" ? 0.5 : 0.9
        let grown = min(8 + growth * Float(step), kind == "one layer, threefold" ? 24 : .infinity)
        report.parameters.norm[2 * layer] = kind == "from elsewhere" && step > 0 ? 80 : grown
        report.parameters.updateNorm[2 * layer] = kind == "from elsewhere" ? 0.01 : growth
      }
      watch.feed(report)
    }
    let life =
      switch kind {
      case "all": ["firing warning @50"]
      case "one layer": ["firing warning @70"]
      default: [String]()
      }
    #expect(watch.life(Self.high) == life)
    guard let alert = watch.open(Self.high) else { return }
    #expect(alert.scope == (kind == "all" ? .run : .layers(1...1)))
    #expect(alert.summary.contains("times their first or recommended size"))
    #expect(alert.evidence.observed >= (kind == "all" ? 4 : 8))
  }

  @Test("during warm-up it is info")
  func warmup() throws {
    let watch = try watch(steps: 25, change: { $1.scalars.phase = .warmup }) { _ in 0.15 }
    #expect(watch.life(Self.high) == ["pending info @14", "firing info @19"])
  }

  @Test(
    "traps of large ratios stay silent",
    arguments: [
      "4 %", "zero-initialized", "biases", "Adam's first steps", "skipped", "NaN updates",
    ]
  )
  func highTraps(_ trap: String) throws {
    let watch = try watch(
      steps: 60,
      change: { step, report in
        switch trap {
        case "zero-initialized":
          // All weights began near 0, as LoRA's do, and are still small.
          report.parameters.norm = [Float](repeating: 0.01 * Float(step), count: 8)
        case "biases": for index in [1, 3, 5, 7] { report.parameters.updateNorm[index] = 5 }
        case "skipped": report.scalars.optimizerSkipped = true
        case "NaN updates": report.parameters.updateNorm = [Float](repeating: .nan, count: 8)
        default: break
        }
      },
      ratio: { step in
        switch trap {
        case "4 %": 0.04
        case "Adam's first steps": step < 10 ? 0.15 : 0.01
        case "zero-initialized", "skipped": 0.3
        default: 0.01
        }
      }
    )
    #expect(watch.life(Self.high) == [])
  }

  @Test("1e-5 a step while the loss stays warns after 16 judged reports, and resolves")
  func low() throws {
    let watch = try watch(steps: 60) { $0 < 30 ? 1e-5 : 1e-3 }
    // A loss is judged from the sixth report on.
    #expect(
      watch.life(Self.low) == ["pending warning @12", "firing warning @20", "resolved warning @49"]
    )
    let alert = try #require(watch.alerts(Self.low).first)
    #expect(alert.scope == .run)
    #expect(alert.remedies.first?.action.hasPrefix("raise the learning rate until") == true)
  }

  @Test("a gate that began at 0 and hardly moves does not speak for the others")
  func lowBesideGate() throws {
    for update: Float in [1e-9, 1e-4] {
      let watch = try watch(
        steps: 60,
        change: { step, report in
          report.parameters.norm[6] = update * Float(step)
          report.parameters.updateNorm[6] = update
        },
        ratio: { _ in 1e-5 }
      )
      // At the second size it goes from 0 to what a layer needs within the run.
      #expect((watch.open(Self.low) != nil) == (update < 1e-5))
    }
  }

  @Test("if clipping takes the gradient away, the clipper comes first")
  func lowByClipping() throws {
    let watch = try watch(steps: 25, change: { $1.clip(at: 1e-4, norm: 1) }) { _ in 1e-5 }
    #expect(
      watch.open(Self.low)?.remedies.first?.action.hasPrefix("raise the clipping threshold") == true
    )
  }

  @Test(
    "traps of small ratios stay silent",
    arguments: [
      "has learned", "warm-up", "rate 0", "one layer moves", "frozen backbone", "no loss",
      "end of schedule", "negative losses",
    ]
  )
  func lowTraps(_ trap: String) throws {
    let watch = try watch(
      steps: 120,
      loss: { step in
        switch trap {
        case "has learned": step < 5 ? 1 : 0.3
        case "end of schedule": 1 / (1 + 0.05 * Double(step))
        case "no loss": nil
        case "negative losses": -1
        default: 1
        }
      },
      change: { step, report in
        switch trap {
        case "warm-up": report.scalars.phase = .warmup
        case "rate 0": report.scalars.learningRate = 0
        case "one layer moves": report.parameters.updateNorm[6] = 0.008
        case "frozen backbone":
          report.gradients.norm = [0, 0, 0, 0, 0, 0, 0.1, 0.1]
          // The head moves by 5e-5, which is not little.
          report.parameters.updateNorm = [0, 0, 0, 0, 0, 0, 4e-4, 4e-4]
        default: break
        }
      },
      ratio: { step in trap == "end of schedule" && step < 60 ? 1e-3 : 1e-5 }
    )
    #expect(watch.life(Self.low) == [])
  }
}
