import Detection
import Telemetry
import Testing

@Suite("saturated_activation")
struct SaturatedActivationTests {
  private static let rule = "saturated_activation"

  private func watch(
    _ net: Net,
    steps: Int,
    weightNorm: Float = 8,
    loss: (Int) -> Double = { _ in 1 },
    shares: (Int) -> [Float]
  ) throws -> Watch {
    var watch = try Watch(net.model)
    for step in 0..<steps {
      var report = net.report(UInt64(step), loss: loss(step), weightNorm: weightNorm)
      report.activations.saturatedFraction = shares(step)
      watch.feed(report)
    }
    return watch
  }

  @Test("60 % of a hidden layer's outputs at the bounds warn at the eighth report, and resolve")
  func warns() throws {
    let watch = try watch(try Net(depth: 5, activation: "tanh"), steps: 60) {
      [$0 < 20 ? 0.6 : 0, 0.05, 0.05, 0.05, 0.05]
    }
    // 0.6 * 0.9^n is below the clearing bound of 0.4 with the fourth clean report, of step 23.
    #expect(
      watch.life(Self.rule) == [
        "pending warning @3", "firing warning @7", "resolved warning @42",
      ]
    )
    let alert = try #require(watch.alerts(Self.rule).first)
    #expect(alert.scope == .layers(0...0))
    #expect(alert.evidence.layers == ["dense_0"])
    #expect(alert.remedies.first?.action == "scale inputs and targets to unit variance")
  }

  @Test("past 0.9 it is critical, and large first weights are named as the cause and the remedy")
  func largeStart() throws {
    let net = try Net(depth: 4, activation: "tanh")
    let watch = try watch(net, steps: 10, weightNorm: 80) { _ in [0.95, 0.95, 0.95, 0.95] }
    #expect(watch.life(Self.rule) == ["pending critical @3", "firing critical @7"])
    let alert = try #require(watch.open(Self.rule))
    #expect(alert.scope == .run)
    #expect(alert.evidence.layers == ["dense_0", "dense_1", "dense_2"])
    #expect(alert.cause.hasPrefix("the first weights were too large"))
    #expect(alert.remedies.first?.action == "initialize weights with Xavier (Glorot)")
  }

  @Test("in a net that has learned in spite of it, it is info")
  func learned() throws {
    let net = try Net(depth: 4, activation: "sigmoid")
    let watch = try watch(net, steps: 100, loss: { $0 < 5 ? 1 : 0.001 }) {
      [0.05, $0 < 60 ? 0.05 : 0.9, 0.05, 0.9]
    }
    #expect(watch.life(Self.rule).last?.hasPrefix("firing info") == true)
    #expect(watch.warned.isDisjoint(with: [Self.rule]))
  }

  @Test("traps stay silent", arguments: ["head", "gate", "NaN", "a tenth", "not measured"])
  func traps(_ trap: String) throws {
    let model = try Model(
      layers: ["in", "cell.gate", "mid", "head"].map { Layer(name: $0, activation: "sigmoid") },
      tensors: (0..<4).map {
        Tensor(name: "w\($0)", layer: UInt32($0), role: .weight, shape: [8, 8], elementCount: 64)
      }
    )
    var watch = try Watch(model)
    for step in 0..<40 {
      var report = StepReport(step: UInt64(step))
      report.gradients.norm = [0.1, 0.1, 0.1, trap == "NaN" ? .nan : 0.1]
      report.activations.saturatedFraction =
        switch trap {
        case "head": [0.1, 0.1, 0.1, 1]
        case "gate": [0.1, 1, 0.1, 0.1]
        case "NaN": [1, 1, 1, 1]
        case "a tenth": [0.1, 0.1, 0.1, 0.1]
        default: [.nan, .nan, .nan, .nan]
        }
      watch.feed(report)
    }
    #expect(watch.life(Self.rule) == [])
  }
}
