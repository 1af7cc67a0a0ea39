import Detection
import Telemetry
import Testing

@Suite("unchanged_weights")
struct UnchangedWeightsTests {
  private static let rule = "unchanged_weights"

  /// Feeds reports in which the tensors `still` get gradients and no update until step `end`.
  private func watch(
    _ still: Set<Int>,
    steps: Int = 40,
    end: Int = .max,
    gradient: Float = 0.1
  ) throws -> Watch {
    let net = try Net(depth: 6)
    var watch = try Watch(net.model)
    for step in 0..<steps {
      var report = net.report(UInt64(step))
      for tensor in still {
        report.gradients.norm[tensor] = gradient
        if step < end { report.parameters.updateNorm[tensor] = 0 }
      }
      watch.feed(report)
    }
    return watch
  }

  @Test("a weight that stays for 20 reports warns, and resolves with two that move it")
  func oneTensor() throws {
    let watch = try watch([4], end: 30)
    #expect(watch.life(Self.rule) == ["firing warning @19", "resolved warning @31"])
    let alert = try #require(watch.alerts(Self.rule).first)
    #expect(alert.scope == .tensor(4))
    #expect(alert.firstStep == 0)
    #expect(alert.evidence.tensors == ["dense_2.weight"])
    #expect(alert.evidence.layers == ["dense_2"])
    #expect(alert.remedies.first?.action == "pass the layer's parameters to the optimizer")
  }

  @Test(
    "updates on every tenth report are enough if the norm is the same, and gradients of 0 count on each",
    arguments: ["still", "moved in between", "silent", "silent sometimes"]
  )
  func everyTenth(_ kind: String) throws {
    let net = try Net(depth: 6)
    let watch = try Watch(
      net,
      steps: 70,
      change: { step, report in
        if kind == "moved in between" { report.parameters.norm[4] += 0.01 * Float(step) }
        if kind == "silent" || kind == "silent sometimes" && step % 10 == 0 {
          report.gradients.norm[4] = 0
        }
        report.parameters.updateNorm[4] = kind.hasPrefix("silent") ? 0.001 : 0
        if step % 10 != 0 { report.parameters = ParameterColumns() }
      },
      loss: { _ in 1 }
    )
    let life = ["still": ["firing warning @20"], "silent": ["firing info @50"]]
    #expect(watch.life(Self.rule) == life[kind] ?? [])
    #expect(watch.alerts(Self.rule).allSatisfy { $0.firstStep == 0 })
  }

  @Test(
    "several weights are one alert at the coarsest place",
    arguments: [
      (Set([4, 5]), AlertScope.layers(2...2)), (Set([4, 6]), .layers(2...3)),
      (Set([0, 4, 8]), .run), (Set(0..<12), .run),
    ]
  )
  func scopes(_ still: Set<Int>, _ scope: AlertScope) throws {
    let watch = try watch(still)
    #expect(watch.alerts(Self.rule).map(\.scope) == [scope])
    #expect(watch.alerts(Self.rule).map(\.severity) == [.warning])
  }

  @Test("a gradient of exactly 0 for 50 reports is info")
  func unused() throws {
    let watch = try watch([4, 5], steps: 60, gradient: 0)
    #expect(watch.life(Self.rule) == ["firing info @49"])
    #expect(watch.open(Self.rule)?.cause.hasPrefix("the parameters are not used") == true)
    #expect(
      watch.open(Self.rule)?.remedies.first?.action
        == "if they are meant to be frozen, set requires_grad to false"
    )
  }

  @Test(
    "a gradient of exactly 0 is a warning where the loss does not fall and nothing else says why",
    arguments: ["weight", "bias", "falling loss", "dead units"]
  )
  func blamed(_ kind: String) throws {
    let net = try Net(depth: 6)
    let silent = kind == "bias" ? 5 : 4
    let watch = try Watch(
      net,
      steps: 200,
      change: { step, report in
        report.gradients.norm[silent] = 0
        report.parameters.updateNorm[silent] = 0
        if kind == "dead units" {
          report.activations.deadUnitFraction = [Float](repeating: 0.99, count: 6)
          report.activations.mean = report.activations.deadUnitFraction
        }
      },
      loss: { kind == "falling loss" ? 1 / (1 + 0.01 * Double($0)) : 1 }
    )
    let severities = watch.alerts(Self.rule).map(\.severity)
    #expect(severities == (kind == "weight" ? [.info, .warning] : [.info]))
    guard kind == "weight" else { return }
    #expect(watch.open(Self.rule)?.cause.hasPrefix("the parameters are not used") == true)
    #expect(watch.open(Self.rule)?.evidence.tensors == ["dense_2.weight"])
  }

  @Test(
    "most of the weights at exactly 0 since the start are told of before the loss is a plateau",
    arguments: ["most", "a few", "falling loss", "later", "decays"]
  )
  func silentFromTheStart(_ kind: String) throws {
    let net = try Net(depth: 6)
    let watch = try Watch(
      net,
      steps: 40,
      change: { step, report in
        for layer in 0..<(kind == "a few" ? 2 : 4) where kind != "later" || step > 3 {
          report.gradients.norm[2 * layer] = 0
          if kind != "decays" { report.parameters.updateNorm[2 * layer] = 0 }
        }
      },
      loss: { kind == "falling loss" ? 1 / (1 + 0.05 * Double($0)) : 1 }
    )
    #expect(watch.life(Self.rule) == (kind == "most" ? ["firing warning @19"] : []))
    guard kind == "most" else { return }
    #expect(watch.open(Self.rule)?.cause.hasPrefix("the parameters are not used") == true)
  }

  @Test(
    "most trainable tensors without any gradient, in blocks that ran, are cut off",
    arguments: ["cut off", "frozen", "did not run", "unfrozen", "a third"]
  )
  func cutOff(_ kind: String) throws {
    let net = try Net(depth: 6)
    var tensors = net.model.tensors
    if kind == "frozen" { for index in 0..<8 { tensors[index].isTrainable = false } }
    var watch = try Watch(try Model(layers: net.model.layers, tensors: tensors))
    for step in 0..<40 {
      var report = net.report(UInt64(step))
      if kind != "unfrozen" || step < 10 {
        let first: UInt32 = kind == "a third" ? 4 : 8
        report.gradients.tensorIDs = Array(first..<12)
        report.gradients.norm = report.gradients.tensorIDs.map { _ in 0.1 }
        report.parameters.tensorIDs = report.gradients.tensorIDs
        report.parameters.norm = report.gradients.tensorIDs.map { _ in 8 }
        report.parameters.updateNorm = report.gradients.tensorIDs.map { _ in 0.008 }
      }
      let isRunning = kind != "did not run"
      report.activations.layerIDs = isRunning ? [0, 1, 2, 3, 4, 5] : [4, 5]
      report.activations.mean = report.activations.layerIDs.map { _ in 0.1 }
      report.activations.std = report.activations.layerIDs.map { _ in 1 }
      watch.feed(report)
    }
    #expect(watch.life(Self.rule) == (kind == "cut off" ? ["firing warning @19"] : []))
    guard kind == "cut off" else { return }
    let alert = try #require(watch.open(Self.rule))
    #expect(alert.scope == .run)
    #expect(alert.summary.contains("never had a gradient"))
    #expect(alert.evidence.tensors.first == "dense_0.weight")
  }

  @Test("a learning rate of 0 is named as the cause")
  func rateZero() throws {
    let net = try Net(depth: 2)
    var watch = try Watch(net.model)
    for step in 0..<20 {
      var report = net.report(UInt64(step), update: 0)
      report.scalars.learningRate = 0
      watch.feed(report)
    }
    #expect(watch.open(Self.rule)?.scope == .run)
    #expect(watch.open(Self.rule)?.cause == "the learning rate is 0")
  }

  @Test(
    "traps stay silent",
    arguments: [
      "frozen", "absent", "tied", "lost to rounding", "moves now and then", "skipped", "no updates",
      "warm-up from 0", "expert",
    ]
  )
  func traps(_ trap: String) throws {
    let net = try Net(depth: 6)
    var tensors = net.model.tensors
    if trap == "frozen" { tensors[4].isTrainable = false }
    if trap == "tied" { tensors[4].tiedTo = 0 }
    var watch = try Watch(try Model(layers: net.model.layers, tensors: tensors))
    for step in 0..<80 {
      var report = net.report(UInt64(step))
      report.parameters.updateNorm[4] = 0
      switch trap {
      case "frozen": report.gradients.norm[4] = 0
      case "absent":
        // No gradient at all, as of a parameter that a step does not use.
        report.gradients.norm.remove(at: 4)
        report.gradients.tensorIDs = (0..<12).filter { $0 != 4 }
      case "lost to rounding": report.gradients.norm[4] = 1e-6
      case "moves now and then": if step % 15 == 0 { report.parameters.updateNorm[4] = 1e-7 }
      case "skipped": report.scalars.optimizerSkipped = true
      case "no updates": report.parameters.updateNorm = []
      case "warm-up from 0": if step >= 15 { report.parameters.updateNorm[4] = 0.001 }
      case "expert":
        // Tokens in one step of thirty, and no update without them.
        report.gradients.norm[4] = step % 30 == 0 ? 0.1 : 0
        report.parameters.updateNorm[4] = step % 30 == 0 ? 0.001 : 0
      default: break
      }
      watch.feed(report)
    }
    #expect(watch.life(Self.rule) == [])
  }
}
