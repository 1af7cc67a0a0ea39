import Detection
import Telemetry
import Testing

@Suite("poor_initialization")
struct PoorInitializationTests {
  private static let rule = "poor_initialization"

  @Test("U(4,5) over 15 inputs (seed 004) is critical at step 0, and is told of for 20 steps")
  func largeStart() throws {
    let model = try Model(
      layers: [
        Layer(name: "hidden", activation: "relu", fanIn: 15), Layer(name: "head", fanIn: 35),
      ],
      tensors: [
        Tensor(
          name: "hidden.weight",
          layer: 0,
          role: .weight,
          shape: [35, 15],
          elementCount: 525
        ),
        Tensor(name: "head.weight", layer: 1, role: .head, shape: [1, 35], elementCount: 35),
      ]
    )
    var watch = try Watch(model)
    for step in 0..<140 {
      var report = StepReport(step: UInt64(step))
      report.gradients.norm = [0.1, 0.1]
      // A mean square of 4.5^2 + 1/12, 152 times He's 2/15.
      report.parameters.norm = [(Float(20.25 + 1.0 / 12) * 525).squareRoot(), 26.7]
      watch.feed(report)
    }
    #expect(watch.life(Self.rule) == ["firing critical @0", "resolved critical @120"])
    let alert = try #require(watch.alerts(Self.rule).first)
    #expect(alert.scope == .run)
    #expect(alert.evidence.layers == ["hidden"])
    #expect(alert.summary.contains("mean square 153 times the recommended one"))
    #expect(alert.remedies.first?.action == "initialize weights with Kaiming (He)")
  }

  @Test(
    "a layer that makes the product by itself is named, and is not over while values are not finite"
  )
  func oneLayer() throws {
    let net = try Net(depth: 6)
    var watch = try Watch(net.model)
    for step in 0..<160 as Range<UInt64> {
      var report = net.report(step, loss: step < 5 ? 1 : .nan)
      report.parameters.norm[4] *= 100
      if step >= 5 { report.scalars.globalNorm = .nan }
      watch.feed(report)
    }
    #expect(watch.life(Self.rule) == ["firing warning @0"])
    let alert = try #require(watch.open(Self.rule))
    #expect(alert.evidence.layers == ["dense_2"])
    #expect(alert.summary.hasSuffix("times in dense_2)"))
  }

  @Test("the evidence of a median layer that is too large is that layer's, not the product's")
  func medianEvidence() throws {
    let net = try Net(depth: 2)
    var watch = try Watch(net.model)
    var report = net.report(0)
    report.parameters.norm[0] *= 6
    watch.feed(report)
    let evidence = try #require(watch.open(Self.rule)).evidence
    let threshold = try #require(evidence.threshold)
    #expect(evidence.quantity == "mean square / recommended mean square, median over the layers")
    #expect(evidence.observed >= threshold && evidence.baseline == 1)
  }

  @Test("a parameter that multiplies nothing, the centres of bumps, has no recommended size")
  func centres() throws {
    for hasFanIns in [true, false] {
      let model = try Model(
        layers: [
          Layer(name: "bumps", moduleType: "Radial"),
          Layer(name: "head", fanIn: hasFanIns ? 48 : nil),
        ],
        tensors: [
          Tensor(
            name: "bumps.centres",
            layer: 0,
            role: .weight,
            shape: [48, 24],
            elementCount: 1152
          ),
          Tensor(name: "head.weight", layer: 1, role: .head, shape: [8, 48], elementCount: 384),
        ]
      )
      var watch = try Watch(model)
      var report = StepReport(step: 0)
      report.gradients.norm = [0.1, 0.1]
      report.parameters.norm = [57, 2]
      watch.feed(report)
      // Where nobody says what multiplies, it is taken for a weight.
      #expect(watch.life(Self.rule).isEmpty == hasFanIns)
    }
  }

  @Test(
    "what stands beside a kernel has no recommended size",
    arguments: ["gains", "spreads", "kernel"]
  )
  func besideKernels(_ kind: String) throws {
    let isKernel = kind == "kernel"
    let layers = (0..<4).map {
      // Nobody says how many inputs a layer of random weights has.
      Layer(name: "conv_\($0)", activation: "relu", fanIn: kind == "spreads" ? nil : 108)
    }
    let tensors = (0..<8).map { index in
      let shape: [UInt64] = kind == "gains" && index % 2 == 1 ? [12, 1, 1, 1] : [12, 12, 3, 3]
      return Tensor(
        name: "tensor_\(index)",
        layer: UInt32(index / 2),
        role: .weight,
        shape: shape,
        elementCount: shape.reduce(1, *)
      )
    }
    var watch = try Watch(try Model(layers: layers, tensors: tensors))
    var report = StepReport(step: 0)
    report.gradients.norm = [Float](repeating: 0.1, count: 8)
    // Kernels of He's size beside gains of 1, or beside logarithms of spreads of -4.
    let kernel = Float(24).squareRoot()
    let other = Float(kind == "gains" ? 12 : 16 * 1296).squareRoot()
    report.parameters.norm = (0..<8).map { $0 % 2 == 1 ? other : kernel }
    watch.feed(report)
    #expect(watch.life(Self.rule).isEmpty == !isKernel)
  }

  @Test(
    "inputs that make all first outputs a thousand warn; one layer, normalization or a recurrence do not",
    arguments: [
      "all", "bytes", "one layer", "normalization", "no activations", "recurrence", "gradients",
      "gradients of bytes", "gradients before a norm", "a bias that is undone",
    ]
  )
  func unscaledInputs(_ kind: String) throws {
    let net = try Net(depth: 4)
    var layers = net.model.layers
    if ["normalization", "gradients before a norm"].contains(kind) {
      layers[0].normalization = "batch_norm"
    }
    var tensors = net.model.tensors
    if kind == "recurrence" { tensors[0].role = .recurrent }
    var watch = try Watch(try Model(layers: layers, tensors: tensors))
    for step in 0..<3 {
      var report = net.report(UInt64(step))
      // The head's outputs are a matter of the loss.
      report.activations.mean = [3000, 800, 900, 1]
      report.activations.std = [4000, 1200, 1500, 1]
      switch kind {
      case "bytes": report.activations.std = [250, 250, 250, 1]
      case "one layer": report.activations.std[1] = 1
      case "no activations": report.activations = ActivationColumns()
      default: break
      }
      if kind == "bytes" { report.activations.mean = [100, 100, 100, 1] }
      if kind == "one layer" { report.activations.mean[1] = 1 }
      if kind.contains("gradients") || kind.contains("bias") {
        // Inputs of 2000 in each of the 32 columns; or errors that cancel at the bias.
        report.activations = ActivationColumns()
        report.gradients.norm[0] = kind == "gradients of bytes" ? 100 : 1200
        if kind == "a bias that is undone" {
          (report.gradients.norm[0], report.gradients.norm[1]) = (0.1, 1e-6)
        }
      }
      watch.feed(report)
    }
    let isFound = ["all", "gradients"].contains(kind)
    #expect(watch.life(Self.rule) == (isFound ? ["firing warning @0"] : []))
    guard isFound else { return }
    let alert = try #require(watch.open(Self.rule))
    #expect(alert.cause.hasPrefix("inputs are not scaled"))
    #expect(alert.evidence.observed > 6)
    #expect(alert.evidence.threshold == 6)
    #expect(alert.remedies.first?.action.hasPrefix("scale inputs") == true)
  }

  @Test(
    "behind normalization or in branches, large weights warn if the loss is made of them",
    arguments: ["norm", "residual", "not felt", "three times"]
  )
  func feltThroughNorms(_ kind: String) throws {
    let net = try Net(depth: 4)
    let layers = net.model.layers.map { layer in
      var layer = layer
      if kind == "residual" { layer.isResidual = true } else { layer.normalization = "layer_norm" }
      return layer
    }
    var watch = try Watch(try Model(layers: layers, tensors: net.model.tensors))
    for step in 0..<3 {
      // Deviation 1 in place of a quarter, and a loss of 15 in place of 3.
      var report = net.report(UInt64(step), loss: 15, weightNorm: kind == "three times" ? 24 : 33)
      let gradient: Float = kind == "not felt" ? 1 : 2
      report.gradients.norm = net.column(weights: { _ in gradient }, biases: 0.1)
      watch.feed(report)
    }
    let isFound = ["norm", "residual"].contains(kind)
    #expect(watch.life(Self.rule) == (isFound ? ["firing warning @0"] : []))
    guard isFound else { return }
    let alert = try #require(watch.open(Self.rule))
    #expect(alert.summary.contains("times the recommended one in the median layer"))
    #expect(alert.evidence.threshold == 16)
  }

  @Test("the same in three hidden layers compounds to more than six decades, and is critical")
  func compounded() throws {
    let net = try Net(depth: 4)
    var watch = try Watch(net.model)
    watch.feed(net.report(0, weightNorm: 8 * Float(152).squareRoot()))
    #expect(watch.life(Self.rule) == ["firing critical @0"])
  }

  @Test("Xavier's weights in 50 ReLU layers, whose gradients vanish, are critical")
  func xavier() throws {
    let net = try Net(depth: 50)
    var watch = try Watch(net.model)
    watch.feed(net.report(0, weightNorm: 8 / Float(2).squareRoot()) { power(0.85, 49 - $0) })
    #expect(watch.life(Self.rule) == ["firing critical @0"])
    #expect(watch.open(Self.rule)?.summary.contains("shrink by 14.8 decades") == true)
  }

  @Test("small weights whose head knows nothing but its bias are found at step 0")
  func deafHead() throws {
    let net = try Net(depth: 12)
    var watch = try Watch(net.model)
    var report = net.report(0, weightNorm: 8 / Float(6).squareRoot())
    report.gradients.norm[22] = 1e-5
    watch.feed(report)
    #expect(watch.life(Self.rule) == ["firing critical @0"])
  }

  @Test("the defaults of a few layers are no fault where the head knows little but its bias")
  func defaultsOfAFewLayers() throws {
    // PyTorch's defaults take 0.78 decades a ReLU layer: 4.7 over six layers, 8.6 over eleven.
    for depth in [7, 12] {
      let net = try Net(depth: depth)
      var watch = try Watch(net.model)
      var report = net.report(0, weightNorm: 8 / Float(6).squareRoot()) {
        power(0.4, depth - 1 - $0)
      }
      report.gradients.norm[2 * depth - 2] = 1e-5
      watch.feed(report)
      #expect(watch.life(Self.rule).isEmpty == (depth == 7))
    }
  }

  @Test(
    "the defaults of a few layers are a fault where gradients lose more than the weights explain"
  )
  func defaultsBehindSigmoids() throws {
    // The weights take 4.7 decades over six layers; the gradients lose 0.75 or 0.9 a layer.
    for (factor, isPoor) in [(Float(0.178), false), (0.126, true)] {
      let net = try Net(depth: 7)
      var watch = try Watch(net.model)
      watch.feed(net.report(0, weightNorm: 8 / Float(6).squareRoot()) { power(factor, 6 - $0) })
      #expect(watch.life(Self.rule).isEmpty != isPoor, "\(factor) a layer")
    }
  }

  @Test("weights of exactly 0, through which nothing passes, are critical")
  func zeroWeights() throws {
    let net = try Net(depth: 4)
    var watch = try Watch(net.model)
    var report = net.report(0) { $0 == 3 ? 0.1 : 0 }
    report.parameters.norm = net.column(weights: { _ in 0 }, biases: 0)
    // The head's inputs are 0, too: only its offset gets a gradient.
    report.gradients.norm[6] = 0
    watch.feed(report)
    #expect(watch.life(Self.rule) == ["firing critical @0"])
    #expect(watch.open(Self.rule)?.summary.hasPrefix("no hidden layer gets a gradient") == true)
  }

  @Test("zeros behind a layer that starts at 0 and has a gradient are gone with its first step")
  func zeroGates() throws {
    for staysSilent in [false, true] {
      let net = try Net(depth: 4)
      var watch = try Watch(net.model)
      for step in 0..<3 {
        // The second layer is a gate; nothing passes the head at first either.
        var report = net.report(UInt64(step)) { $0 == 3 || step > 0 && !staysSilent ? 0.1 : 0 }
        let isStart = step == 0 || staysSilent
        report.parameters.norm = net.column(
          weights: { $0 == 1 && isStart || $0 == 3 && step == 0 ? 0 : 8 },
          biases: 1
        )
        watch.feed(report)
      }
      #expect(watch.life(Self.rule) == (staysSilent ? ["firing critical @1"] : []))
    }
  }

  @Test("units that are copies of each other warn", arguments: [true, false])
  func equalUnits(_ areEqual: Bool) throws {
    let net = try Net(depth: 3)
    var watch = try Watch(net.model)
    var report = net.report(0)
    report.gradients.mean = net.column(weights: { _ in 0.01 }, biases: 0.01)
    report.gradients.std = net.column(weights: { _ in 0.01 }, biases: areEqual ? 1e-9 : 0.005)
    watch.feed(report)
    #expect(watch.life(Self.rule) == (areEqual ? ["firing warning @0"] : []))
  }

  @Test("a first report with NaN gradients is not judged, the next one is")
  func waits() throws {
    let net = try Net(depth: 4)
    var watch = try Watch(net.model)
    for step in 0..<2 {
      watch.feed(net.report(UInt64(step), weightNorm: 100) { _ in step == 0 ? .nan : 0.1 })
    }
    #expect(watch.life(Self.rule) == ["firing critical @1"])
  }

  @Test(
    "traps stay silent",
    arguments: [
      "He", "PyTorch's defaults", "normalization", "residual", "resumed", "no norms", "large head",
      "zero-initialized branch", "large biases", "embedding",
    ]
  )
  func traps(_ trap: String) throws {
    let depth = 12
    let isNormal = trap == "normalization"
    let net = try Net(depth: depth)
    let model = try Model(
      layers: net.model.layers.map { layer in
        var layer = layer
        if isNormal { layer.normalization = "batch" }
        if trap == "residual" { layer.isResidual = true }
        return layer
      },
      tensors: net.model.tensors.map { tensor in
        var tensor = tensor
        if trap == "embedding", tensor.layer == 0, tensor.role == .weight {
          tensor.role = .embedding
        }
        return tensor
      }
    )
    var watch = try Watch(model)
    for step in 0..<15 {
      var report = net.report(UInt64(step) + (trap == "resumed" ? 5000 : 0))
      let isLarge = ["normalization", "residual", "resumed"].contains(trap)
      switch trap {
      case "PyTorch's defaults":
        report.parameters.norm = net.column(weights: { _ in 3.266 }, biases: 0.577)
      case "no norms": report.parameters = ParameterColumns()
      case "large head":
        report.parameters.norm = net.column(weights: { $0 == 11 ? 800 : 8 }, biases: 1)
      case "zero-initialized branch":
        // The last layer of a branch is 0, so that the one before it has no gradient.
        report.parameters.norm = net.column(weights: { $0 == 5 ? 0 : 8 }, biases: 0)
        report.gradients.norm = net.column(weights: { $0 == 4 ? 0 : 0.1 }, biases: 0.1)
      case "large biases": report.parameters.norm = net.column(weights: { _ in 8 }, biases: 500)
      case "embedding":
        report.parameters.norm = net.column(weights: { $0 == 0 ? 800 : 8 }, biases: 1)
      default:
        guard isLarge else { break }
        report.parameters.norm = net.column(weights: { _ in 100 }, biases: 1)
        // What is undone has a gradient that is as much smaller.
        report.gradients.norm = net.column(weights: { _ in 0.008 }, biases: 0.1)
      }
      watch.feed(report)
    }
    #expect(watch.life(Self.rule) == [])
  }
}
