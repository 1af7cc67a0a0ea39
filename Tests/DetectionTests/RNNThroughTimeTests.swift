import Detection
import Telemetry
import Testing

@Suite("rnn_vanishing_through_time and rnn_exploding_through_time")
struct RNNThroughTimeTests {
  private static let vanishing = "rnn_vanishing_through_time"
  private static let exploding = "rnn_exploding_through_time"
  private static let positions = 25

  private static func model() throws -> Model {
    try Model(
      layers: [Layer(name: "cell", activation: "tanh"), Layer(name: "head")],
      tensors: [
        Tensor(name: "cell.hh", layer: 0, role: .recurrent, shape: [32, 32], elementCount: 1024),
        Tensor(name: "head.weight", layer: 1, role: .head, shape: [2, 32], elementCount: 64),
      ]
    )
  }

  /// Feeds reports whose gradient is multiplied by `factor` for each step back over 100 steps.
  private func watch(
    steps: Int,
    loss: (Int) -> Double = { _ in 1 },
    change: (Int, inout StepReport) -> Void = { _, _ in },
    factor: (Int) -> Double
  ) throws -> Watch {
    var watch = try Watch(try Self.model())
    for step in 0..<steps {
      var report = StepReport(step: UInt64(step), loss: loss(step))
      report.gradients.norm = [0.1, 0.1]
      var norms: [Float] = []
      var norm = 1.0
      // From the last position, 4 time steps apart, to the first.
      for _ in 0..<Self.positions {
        norms.append(Float(norm))
        for _ in 0..<4 { norm *= factor(step) }
      }
      report.timeStepNorms = [
        TimeStepNorms(
          layer: 0,
          positions: (0..<Self.positions).map { UInt32(4 * $0) },
          norms: norms.reversed()
        )
      ]
      change(step, &report)
      watch.feed(report)
    }
    return watch
  }

  @Test("0.9 a time step over 100 (seed 001) warns at the twentieth report, and resolves")
  func vanishes() throws {
    let watch = try watch(steps: 60) { $0 < 30 ? 0.9 : 1 }
    #expect(
      watch.life(Self.vanishing) == [
        "pending warning @9", "firing warning @19", "resolved warning @49",
      ]
    )
    let alert = try #require(watch.alerts(Self.vanishing).first)
    #expect(alert.scope == .layers(0...0))
    #expect(alert.evidence.layers == ["cell"])
    #expect(alert.evidence.facts["factor_per_time_step"]?.hasPrefix("0.9") == true)
    #expect(alert.remedies.first?.action.hasPrefix("use LSTM or GRU cells") == true)
    #expect(watch.life(Self.exploding) == [])
  }

  @Test("six decades and more are critical, and exact zeros are taken for lost")
  func vanishesFar() throws {
    #expect(try watch(steps: 20) { _ in 0.7 }.life(Self.vanishing).last == "firing critical @19")
    #expect(try watch(steps: 20) { _ in 1e-9 }.life(Self.vanishing).last == "firing critical @19")
  }

  @Test("a net that learns without its first time steps gets an info")
  func learns() throws {
    let watch = try watch(steps: 80, loss: { $0 < 5 ? 1 : 0.5 }) { $0 < 30 ? 1 : 0.9 }
    #expect(watch.life(Self.vanishing) == ["pending info @39", "firing info @49"])
  }

  @Test("1.1 a time step over 100 (seed 001) warns at the sixth report, and resolves")
  func explodes() throws {
    let watch = try watch(steps: 50) { $0 < 10 ? 1.1 : 1 }
    #expect(
      watch.life(Self.exploding) == [
        "pending warning @2", "firing warning @5", "resolved warning @29",
      ]
    )
    let alert = try #require(watch.alerts(Self.exploding).first)
    #expect(alert.scope == .layers(0...0))
    #expect(alert.remedies.first?.action == "use LSTM or GRU cells")
    #expect(try self.watch(steps: 8) { _ in 1.2 }.life(Self.exploding).last == "firing critical @5")
  }

  @Test(
    "traps stay silent",
    arguments: ["flat", "few positions", "NaN", "skipped", "dead", "none"]
  )
  func traps(_ trap: String) throws {
    for factor in [0.8, 1.25] {
      let watch = try watch(
        steps: 40,
        change: { step, report in
          switch trap {
          case "few positions":
            report.timeStepNorms[0].positions = [0, 50, 99]
            report.timeStepNorms[0].norms = factor < 1 ? [1e-9, 1e-5, 1] : [1e9, 1e5, 1]
          case "NaN": report.timeStepNorms[0].norms[12] = .nan
          case "skipped": report.scalars.optimizerSkipped = true
          case "dead": report.timeStepNorms[0].norms = Array(repeating: 0, count: 25)
          case "none": report.timeStepNorms = []
          default: break
          }
        },
        factor: { _ in trap == "flat" ? 1 : factor }
      )
      #expect(watch.life(Self.vanishing) == [])
      #expect(watch.life(Self.exploding) == [])
    }
  }
}
