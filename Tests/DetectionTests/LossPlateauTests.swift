import Detection
import Telemetry
import Testing

@Suite("loss_plateau")
struct LossPlateauTests {
  private static let rule = "loss_plateau"

  @Test("a loss that stays warns when patience ends, and resolves once it has fallen by a fifth")
  func stays() throws {
    let watch = try Watch(steps: 240) { $0 < 200 ? 1 : 0.1 }
    let patience = Int(try #require(Detector.standard(Self.rule, "warning_reports")))
    // The average is below 0.8 with the third low report, and judged at the next.
    #expect(
      watch.life(Self.rule) == ["firing warning @\(patience - 1)", "resolved warning @232"]
    )
    let alert = try #require(watch.alerts(Self.rule).first)
    #expect(alert.scope == .run)
    // The first of the losses that it looked back on.
    #expect(alert.firstStep == 0)
    #expect(alert.startedAt == Watch.time(0))
    #expect(alert.remedies.first?.action == "overfit one small batch")
    #expect(alert.cause.hasPrefix("gradients look healthy"))
  }

  @Test(
    "of a recurrent model whose norms through time nobody sent, health is not claimed",
    arguments: [true, false]
  )
  func recurrent(areSent: Bool) throws {
    let net = try Net(depth: 2, activation: "tanh", role: .recurrent)
    let watch = try Watch(
      net,
      steps: 240,
      change: {
        guard areSent else { return }
        $1.timeStepNorms = [TimeStepNorms(layer: 0, positions: [0, 9], norms: [0.1, 0.1])]
      },
      loss: { _ in 1 }
    )
    let cause = try #require(watch.open(Self.rule)).cause
    #expect(cause.contains("those through time were not sent") == !areSent)
  }

  @Test(
    "weights without a gradient are named, and are the first thing to look at",
    arguments: [true, false]
  )
  func silent(areLeftOut: Bool) throws {
    let net = try Net(depth: 8)
    let watch = try Watch(
      net,
      steps: 240,
      change: { step, report in
        let loss = report.scalars.losses
        // Layers 2 and 3.
        report = net.report(UInt64(step)) { $0 == 2 || $0 == 3 ? 0 : 0.1 }
        report.parameters = ParameterColumns()
        report.scalars.losses = loss
        guard areLeftOut else { return }
        report.gradients.tensorIDs = (0..<16).filter { !(4..<8).contains($0) }
        report.gradients.norm = Array(repeating: 0.1, count: 12)
      },
      loss: { _ in 1 }
    )
    let alert = try #require(watch.open(Self.rule))
    #expect(
      alert.cause.hasPrefix("dense_2.weight and 1 more have no gradient, or one of exactly 0")
    )
    #expect(alert.remedies.first?.action == "find out why no gradient reaches dense_2.weight")
    #expect(alert.remedies.dropFirst().first?.action == "overfit one small batch")
  }

  @Test("where gradients vanish fewer are enough, and that alert is to be followed first")
  func explained() throws {
    let net = try Net(depth: 12, activation: "sigmoid")
    let watch = try Watch(
      net,
      steps: 60,
      change: { step, report in
        let loss = report.scalars.losses
        report = net.report(UInt64(step)) { power(0.24, 11 - $0) }
        report.scalars.losses = loss
      },
      loss: { _ in 1 }
    )
    let patience = Int(try #require(Detector.standard(Self.rule, "explained_reports")))
    #expect(patience < 60)
    #expect(watch.life(Self.rule) == ["firing warning @\(patience - 1)"])
    #expect(
      watch.open(Self.rule)?.remedies.first?.action == "follow the alert on the layers first"
    )
  }

  @Test(
    "where every second step is reported, 96 quiet reports are enough, and noisy ones are not",
    arguments: [0, 0.02, 0.5]
  )
  func quiet(_ noise: Double) throws {
    let net = try Net(depth: 2)
    var watch = try Watch(net.model)
    var random = Noise(seed: 7)
    for report in 0..<200 {
      let loss = 1 + noise * (random.fraction() - 0.5)
      watch.feed(net.report(UInt64(2 * report), loss: loss))
    }
    let few = try #require(Detector.standard(Self.rule, "quiet_reports"))
    let many = try #require(Detector.standard(Self.rule, "warning_reports"))
    let reports = Int(noise < 0.1 ? few : many)
    #expect(watch.life(Self.rule).first?.hasPrefix("firing warning @") == true)
    let step = try #require(watch.open(Self.rule)?.firedStep)
    #expect(noise < 0.1 ? step == UInt64(2 * (reports - 1)) : step >= UInt64(2 * (reports - 1)))
  }

  @Test("a loss at six tenths is a plateau where gradients vanish, and the data's business else")
  func higherFloor() throws {
    for isVanishing in [true, false] {
      let net = try Net(depth: 12, activation: "sigmoid")
      var watch = try Watch(net.model)
      for step in 0..<220 {
        let loss = step < 5 ? 1 : 0.6
        watch.feed(
          net.report(UInt64(step), loss: loss) { isVanishing ? power(0.24, 11 - $0) : 0.1 }
        )
      }
      #expect(watch.life(Self.rule).isEmpty == !isVanishing)
      #expect(
        watch.open(Self.rule)?.summary.contains("and began at 1") == (isVanishing ? true : nil)
      )
    }
  }

  @Test(
    "clipping that leaves a thousandth of each gradient says why, and one that leaves a tenth does not",
    arguments: [1000, 10]
  )
  func clippedAway(_ norm: Double) throws {
    let watch = try Watch(steps: 100, change: { $1.clip(at: 1, norm: norm) }) { _ in 1 }
    let explained = try #require(Detector.standard(Self.rule, "explained_reports"))
    #expect(
      watch.life(Self.rule) == (norm > 100 ? ["firing warning @\(Int(explained) - 1)"] : [])
    )
  }

  @Test(
    "traps stay silent",
    arguments: [
      "slow start", "slow fall", "warm-up", "rate 0", "negative", "two losses", "rises",
      "three quarters", "NaN", "new batch size", "new rate", "outliers", "mixed batches",
    ]
  )
  func traps(_ trap: String) throws {
    let patience = try #require(Detector.standard(Self.rule, "warning_reports"))
    var noise = Noise(seed: 3)
    let watch = try Watch(
      try Net(depth: 2),
      steps: 400,
      change: { step, report in
        switch trap {
        case "warm-up": report.scalars.phase = step < 250 ? .warmup : .main
        case "rate 0": report.scalars.learningRate = 0
        case "two losses": report.scalars.losses.append(NamedLoss(name: "other", value: 1))
        case "new batch size": report.scalars.batchSize = step / 90 % 2 == 0 ? 8 : 64
        case "new rate": report.scalars.learningRate = step / 90 % 2 == 0 ? 0.1 : 0.01
        default: break
        }
      },
      loss: { step in
        let time = Double(step)
        switch trap {
        case "slow start": return min(1, 0.87 * patience / time)
        case "slow fall": return 1 - 0.0005 * time
        case "warm-up": return step < 250 ? 1 : 250 / time
        case "negative": return step % 20 == 10 ? -0.5 : 1
        case "rises": return 1 + 0.003 * time
        case "three quarters": return step < 20 ? 1 - 0.0125 * time : 0.75
        case "NaN": return .nan
        case "outliers": return noise.fraction() < 0.1 ? 10 : 1
        // Two thirds of the start on average, and now and then ten hard batches nearly in a row.
        case "mixed batches": return step < 20 ? 1 : noise.fraction() < 0.35 ? 1.2 : 0.4
        default: return 1
        }
      }
    )
    #expect(watch.life(Self.rule) == [])
  }
}
