import Detection
import Telemetry
import Testing

@Suite("exploding_gradient")
struct ExplodingGradientTests {
  private static let rule = "exploding_gradient"

  @Test("two tenfold jumps in a row are critical at the second, norms and losses alone")
  func jumps() throws {
    let net = try Net(depth: 2)
    var watch = try Watch(net.model)
    for (step, size) in [Float(1e5), 1e10, 1e22].enumerated() {
      let loss = Double(size) * 10
      watch.feed(
        net.report(UInt64(step), loss: loss, weightNorm: nil, update: nil) { _ in size }
      )
    }
    #expect(watch.life(Self.rule) == ["firing critical @2"])
    let alert = try #require(watch.open(Self.rule))
    #expect(alert.summary == "the gradient norm grew from 2e5 to 2e22 in 2 steps up to step 2")
    #expect(alert.evidence.layers == ["dense_0", "dense_1"])
    #expect(alert.evidence.baseline == 200_000)
  }

  @Test("an update of more than ten times the weights is critical at once")
  func replacingUpdate() throws {
    let net = try Net(depth: 2)
    var watch = try Watch(net.model)
    watch.feed(net.report(0, loss: 5e6, update: 500) { _ in 1e5 })
    #expect(watch.life(Self.rule) == ["firing critical @0"])
  }

  @Test("6 % a step warns once the norm is far above its average, and is critical later")
  func slowGrowth() throws {
    let net = try Net(depth: 1)
    var watch = try Watch(net.model)
    var size = Float(5)
    for step in 0..<260 {
      size *= 1.06
      watch.feed(net.report(UInt64(step), loss: Double(size * size)) { _ in size })
    }
    let firing = watch.life(Self.rule).filter { $0.hasPrefix("firing") }
    #expect(firing.count == 2)
    let alert = try #require(watch.open(Self.rule))
    #expect(alert.severity == .critical)
    #expect((60...120).contains(try #require(alert.firedStep)))
  }

  @Test("one extreme first step does not hide the growth that follows")
  func extremeStart() throws {
    for grows in [true, false] {
      let net = try Net(depth: 1)
      var watch = try Watch(net.model)
      var size = Float(5)
      for step in 0..<200 {
        if grows, step > 60 { size *= 1.06 }
        let now = step == 0 ? 1e18 : size
        watch.feed(net.report(UInt64(step), loss: Double(now * now)) { _ in now })
      }
      #expect(watch.alerts("exploding_gradient").isEmpty != grows)
    }
  }

  @Test("0.3 % a step is found too, as long as the loss rises with it")
  func drift() throws {
    for (rises, isFound) in [(true, true), (false, false)] {
      let net = try Net(depth: 1)
      var watch = try Watch(net.model)
      var size = Float(5)
      for step in 0..<1500 {
        size *= 1.003
        let loss = rises ? Double(size) : 100 / Double(size)
        watch.feed(net.report(UInt64(step), loss: loss) { _ in size })
      }
      #expect(watch.life(Self.rule).contains { $0.hasPrefix("firing warning") } == isFound)
    }
  }

  @Test("a recurrent matrix whose signal is 60 times the last layer's warns at the fifth report")
  func layerGain() throws {
    let model = try Model(
      layers: [Layer(name: "cell"), Layer(name: "head")],
      tensors: [
        Tensor(
          name: "cell.weight_hh",
          layer: 0,
          role: .recurrent,
          shape: [32, 32],
          elementCount: 1024
        ),
        Tensor(name: "head.weight", layer: 1, role: .weight, shape: [1, 32], elementCount: 32),
      ]
    )
    var watch = try Watch(model)
    for step in 0..<8 {
      var report = StepReport(
        sequence: 1,
        scalars: StepScalars(step: UInt64(step), wallTime: WallTime(clamping: 0))
      )
      report.scalars.losses = [NamedLoss(name: "loss", value: 10)]
      // Gains: 5.66 / sqrt(32) = 1 and 1 / sqrt(1) = 1.
      report.parameters.norm = [Float(32).squareRoot(), 1]
      report.gradients.norm = [60, 1]
      watch.feed(report)
    }
    #expect(watch.life(Self.rule) == ["pending warning @1", "firing warning @4"])
    let alert = try #require(watch.open(Self.rule))
    #expect(alert.evidence.layers == ["cell"])
    #expect(alert.scope == .layers(0...0))
    #expect(alert.remedies.first?.action == "use LSTM or GRU cells")
  }

  @Test("scores of attention at the end, of a single output each, are no head to compare with")
  func scores() throws {
    let layers: [(name: String, outputs: UInt64)] = [
      ("lift", 24), ("middle", 24), ("head", 4), ("here", 1), ("there", 1),
    ]
    let model = try Model(
      layers: layers.map { Layer(name: $0.name) },
      tensors: layers.enumerated().map { index, layer in
        Tensor(
          name: "\(layer.name).weight",
          layer: UInt32(index),
          role: .weight,
          shape: [layer.outputs, 24],
          elementCount: 24 * layer.outputs
        )
      }
    )
    // Only what is before them is compared then.
    for (size, isFound) in [(Float(1), false), (100, true)] {
      var watch = try Watch(model)
      for step in 0..<20 {
        var report = StepReport(step: UInt64(step))
        report.scalars.losses = [NamedLoss(name: "loss", value: 1.4)]
        report.parameters.norm = layers.map { Float($0.outputs).squareRoot() }
        // One large layer alone at the beginning would be taken for unscaled inputs.
        report.gradients.norm = [size, size, 1, 0.01, 0.01]
        watch.feed(report)
      }
      #expect(watch.life(Self.rule).isEmpty != isFound, "\(size)")
    }
  }

  @Test(
    "traps stay silent",
    arguments: [
      "large and falling", "one jump", "leaving a flat start", "loss scale", "skipped overflow",
      "learning rate step", "zero-initialized head", "weight jump", "unfreezing", "converged noise",
      "two losses",
    ]
  )
  func traps(_ trap: String) throws {
    let net = try Net(depth: 4)
    var watch = try Watch(net.model)
    var noise = Noise(seed: 7)
    for step in 0..<200 {
      let time = Double(step)
      var report = net.report(UInt64(step), loss: 10 / (1 + time)) { _ in 0.1 }
      func setGradient(_ size: Float) {
        let loss = report.scalars.losses
        report = net.report(UInt64(step)) { _ in size }
        report.scalars.losses = loss
      }
      switch trap {
      case "large and falling": setGradient(4000 / (1 + Float(step) / 30))
      case "one jump":
        setGradient(step == 100 ? 10 : 0.1)
        report.scalars.losses = [NamedLoss(name: "loss", value: 1)]
      case "leaving a flat start": setGradient(step < 40 ? 1e-6 * power(1.4, step) : 0.5)
      case "loss scale":
        // Multiplied by a scale that doubles every 10 steps, while the loss rises.
        let scale = Double(1 << (step / 10))
        setGradient(0.1 * Float(scale))
        report.scalars.losses = [NamedLoss(name: "loss", value: 1 + time / 50)]
        report.scalars.lossScale = scale
        report.scalars.gradientsAreScaled = true
      case "skipped overflow":
        if step % 50 > 47 {
          setGradient(step % 50 == 48 ? 1e10 : 1e15)
          report.scalars.optimizerSkipped = true
        }
        report.scalars.losses = [NamedLoss(name: "loss", value: 1)]
      case "learning rate step":
        setGradient(step < 100 ? 0.1 : 50)
        report.scalars.learningRate = step < 100 ? 0.001 : 0.1
        report.scalars.losses = [NamedLoss(name: "loss", value: step < 100 ? 1 : 3)]
      case "zero-initialized head":
        // What flows past the head is proportional to its weights.
        let head = 0.002 * Float(step)
        report = net.report(UInt64(step)) { $0 == 3 ? 0.1 : 0.1 * head / 8 }
        report.parameters.norm[6] = head
        report.parameters.updateNorm[6] = 0.5
      case "weight jump":
        if step > 100 { report.parameters.norm[2] = 4e37 }
      case "unfreezing":
        if step < 100 {
          report.gradients.tensorIDs = [6, 7]
          report.gradients.norm = [0.001, 0.001]
          report.scalars.globalNorm = 0.001
        }
        report.scalars.losses = [NamedLoss(name: "loss", value: step < 100 ? 1 : 3)]
      case "converged noise":
        // The loss is 0 and the gradient anything from 1e-12 up.
        let size = step < 60 ? 1 : power(0.1, Int(noise.next() % 12))
        setGradient(size)
        report.scalars.losses = [NamedLoss(name: "loss", value: step < 60 ? 10 : 1e-6)]
      case "two losses":
        // The first two layers; one alone would be taken for unscaled inputs.
        report.gradients.norm[0] = 100
        report.gradients.norm[2] = 100
        report.scalars.losses.append(NamedLoss(name: "generator", value: 1))
      default: break
      }
      watch.feed(report)
    }
    #expect(watch.life(Self.rule) == [])
  }
}
