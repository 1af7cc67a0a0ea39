import Detection
import Telemetry
import Testing

@Suite("vanishing_gradient")
struct VanishingGradientTests {
  private static let rule = "vanishing_gradient"

  @Test(
    "a sigmoid profile of 0.24 a layer is critical at the eighth report, from the first layer up"
  )
  func sigmoidProfile() throws {
    let net = try Net(depth: 12, activation: "sigmoid")
    var watch = try Watch(net.model)
    for step in 0..<12 {
      watch.feed(net.report(UInt64(step)) { power(0.24, 11 - $0) })
    }
    #expect(watch.life(Self.rule) == ["pending critical @3", "firing critical @7"])
    let alert = try #require(watch.open(Self.rule))
    #expect(alert.firstStep == 0)
    #expect(alert.firedStep == 7)
    #expect(alert.summary.hasPrefix("gradients shrink by 0.24 a layer from dense_11 to dense_0"))
    #expect(alert.summary.hasSuffix("since step 0"))
    #expect(alert.evidence.layers.prefix(3) == ["dense_0", "dense_1", "dense_2"])
    #expect(!alert.evidence.layers.contains("dense_11"))
    #expect(alert.cause.contains("sigmoid multiplies"))
    #expect(alert.remedies.first?.action.hasPrefix("replace sigmoid by ReLU") == true)
    #expect(alert.confidence > 0.9)
  }

  @Test("a transformer is told of pre-norm first, a ReLU net of its initialization")
  func remediesByModel() throws {
    for (activation, type, first) in [
      ("gelu", "MultiheadAttention", "use pre-norm blocks"),
      ("relu", "Linear", "initialize weights"),
    ] {
      let layers = (0..<12).map {
        Layer(name: "block_\($0)", moduleType: type, activation: activation)
      }
      let tensors = (0..<12).map {
        Tensor(name: "w\($0)", layer: UInt32($0), role: .weight, elementCount: 64)
      }
      var watch = try Watch(try Model(layers: layers, tensors: tensors))
      for step in 0..<10 {
        var report = StepReport(
          sequence: 1,
          scalars: StepScalars(step: UInt64(step), wallTime: WallTime(clamping: 0))
        )
        report.gradients.norm = (0..<12).map { power(0.2, 11 - $0) }
        watch.feed(report)
      }
      let remedy = try #require(watch.open(Self.rule)?.remedies.first)
      #expect(remedy.action.hasPrefix(first))
    }
  }

  @Test("two decades warn, and while the loss falls below half of its start they are info")
  func learningSoftens() throws {
    for (end, severity) in [(1.0, "warning"), (0.2, "info")] {
      let net = try Net(depth: 12)
      var watch = try Watch(net.model)
      for step in 0..<80 {
        // The drop comes once the loss is where it stays.
        let loss = step < 5 ? 1 : end
        watch.feed(net.report(UInt64(step), loss: loss) { step < 25 ? 0.1 : power(0.55, 11 - $0) })
      }
      #expect(watch.life(Self.rule).last?.hasPrefix("firing \(severity)") == true)
    }
  }

  @Test("one decade over a shallow net is info, and resolves when the profile flattens")
  func attenuationIsInfo() throws {
    let net = try Net(depth: 4, activation: "sigmoid")
    var watch = try Watch(net.model)
    for step in 0..<80 {
      watch.feed(net.report(UInt64(step)) { step < 30 ? power(0.42, 3 - $0) : 0.1 })
    }
    let life = watch.life(Self.rule)
    #expect(life.first == "pending info @3")
    #expect(life.dropFirst().first == "firing info @7")
    #expect(life.last?.hasPrefix("resolved info") == true)
    #expect(life.count == 3)
  }

  @Test("what shrinks by itself, as after a zero-initialized branch, is never more than info")
  func recovering() throws {
    let net = try Net(depth: 12)
    var watch = try Watch(net.model)
    for step in 0..<60 {
      // From six decades to none in 60 steps.
      let base = 0.28 + 0.72 * Float(step) / 60
      watch.feed(net.report(UInt64(step)) { power(base, 11 - $0) })
    }
    #expect(!watch.log.contains { $0.alert.state == .firing && $0.alert.severity > .info })
  }

  @Test("last layers whose gradient grows a million times leave the first ones what they had")
  func growingHead() throws {
    let net = try Net(depth: 12)
    for isGrowing in [true, false] {
      var watch = try Watch(net.model)
      for step in 0..<60 {
        let factor = power(1.4, max(0, min(40, step - 15)))
        watch.feed(
          net.report(UInt64(step)) {
            ($0 >= 9) == isGrowing ? isGrowing ? 0.1 * factor : 0.1 / factor : 0.1
          }
        )
      }
      let isWarned = watch.alerts(Self.rule).contains { $0.severity > .info }
      #expect(isWarned == !isGrowing)
    }
  }

  @Test("two decades that come with the first steps and go are info, and warn if they stay")
  func passing() throws {
    for end in [18, 60] {
      let net = try Net(depth: 12)
      var watch = try Watch(net.model)
      for step in 0..<60 {
        watch.feed(
          net.report(UInt64(step)) { power((3..<end).contains(step) ? 0.58 : 0.8, 11 - $0) }
        )
      }
      let isWarned = watch.alerts(Self.rule).contains { $0.severity > .info }
      #expect(isWarned == (end == 60))
    }
  }

  @Test("of two nets side by side, of an actor and its critic, the deeper one is judged alone")
  func sideBySide() throws {
    for (first, second, isVanishing) in [
      ("actor", "critic", false), ("agent.critic", "agent.actor", false), ("net", "net", true),
      ("actor", "critic", true),
    ] {
      // Four inputs each, and the first net's two outputs are no inputs of the second one.
      let isInside = isVanishing && first == "actor"
      let sides: [(UInt64, UInt64)] = [(4, 32), (32, 32), (32, 2)]
      let layers = (0..<6).map {
        Layer(name: "\($0 < 3 ? first : second).\($0)", fanIn: UInt64(sides[$0 % 3].0))
      }
      let tensors = (0..<6).map { index in
        let (fanIn, fanOut) = sides[index % 3]
        return Tensor(
          name: "\(layers[index].name).weight",
          layer: UInt32(index),
          role: .weight,
          shape: [fanOut, fanIn],
          elementCount: fanIn * fanOut
        )
      }
      var watch = try Watch(try Model(layers: layers, tensors: tensors))
      for step in 0..<60 {
        var report = StepReport(step: UInt64(step))
        report.gradients.norm = isInside ? [1e-3, 0.03, 1, 1, 1, 1] : [1e-3, 1e-3, 1e-3, 1, 1, 1]
        watch.feed(report)
      }
      #expect(watch.alerts(Self.rule).contains { $0.severity > .info } == isVanishing)
    }
  }

  @Test(
    "traps stay silent",
    arguments: [
      "flat", "growing toward the input", "frozen first half", "two layers", "first layer only",
      "small weights", "embedding and norm", "one blip",
    ]
  )
  func traps(_ trap: String) throws {
    let depth = trap == "two layers" ? 2 : trap == "first layer only" ? 4 : 12
    let net = try Net(depth: depth, role: trap == "embedding and norm" ? .embedding : .weight)
    var watch = try Watch(net.model)
    for step in 0..<60 {
      var report = net.report(UInt64(step)) { layer in
        switch trap {
        case "growing toward the input": power(2, 11 - layer)
        case "frozen first half": layer < 6 ? 0 : 0.1
        case "two layers", "first layer only": layer == 0 ? 1e-5 : 0.1
        case "small weights": 100
        case "embedding and norm": power(0.2, 11 - layer)
        case "one blip": step == 30 ? power(0.2, 11 - layer) : 0.1
        default: 0.1
        }
      }
      if trap == "small weights" {
        // A layer whose weights are 1000 times smaller has a gradient that is 1000 times larger.
        report.parameters.norm = (0..<depth).flatMap { [$0 < 6 ? 8 : 0.008, Float(1)] }
        report.gradients.norm = (0..<depth).flatMap { [$0 < 6 ? 0.1 : 100, Float(0.1)] }
      }
      watch.feed(report)
    }
    let isInfo = trap == "first layer only"
    #expect(
      !watch.log.contains {
        $0.alert.rule == RuleID(Self.rule) && (!isInfo || $0.alert.severity > .info)
      }
    )
  }

  @Test("norms alone, without parameter norms, are enough")
  func normsOnly() throws {
    let net = try Net(depth: 12)
    var watch = try Watch(net.model)
    for step in 0..<12 {
      watch.feed(
        net.report(UInt64(step), loss: nil, weightNorm: nil, update: nil) { power(0.24, 11 - $0) }
      )
    }
    #expect(watch.life(Self.rule).last == "firing critical @7")
  }

  @Test("a range of layers that grows is one alert, and its evidence follows")
  func growingRange() throws {
    let net = try Net(depth: 16)
    var watch = try Watch(net.model)
    for step in 0..<60 {
      // The cliff moves from layer 8 up to layer 11.
      let cliff = step < 20 ? 8 : 11
      watch.feed(net.report(UInt64(step)) { $0 < cliff ? 1e-6 : 0.1 })
    }
    #expect(watch.life(Self.rule).count { $0.hasPrefix("firing") } == 1)
    let alert = try #require(watch.open(Self.rule))
    #expect(alert.scope == .layers(0...7))
    #expect(alert.evidence.layers.count == 11)
    #expect(alert.evidence.lastStep == 59)
    #expect(alert.evidence.firstStep == 0)
  }
}
