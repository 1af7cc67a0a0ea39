import Detection
import Telemetry
import Testing

@Suite("weight_jump")
struct WeightJumpTests {
  private static let rule = "weight_jump"

  private func watch(
    steps: some Sequence<Int>,
    change: (Int, inout StepReport) -> Void
  ) throws -> Watch {
    let net = try Net(depth: 6)
    var watch = try Watch(net.model)
    for step in steps {
      var report = net.report(UInt64(step))
      change(step, &report)
      watch.feed(report)
    }
    return watch
  }

  @Test(
    "one weight that jumps up, down, or to NaN is critical at that step, and stays for 50 reports",
    arguments: [Float(4e37), 100, 0.01, 0, .infinity, .nan]
  )
  func oneWeight(_ norm: Float) throws {
    let watch = try watch(steps: 0..<110) { if $0 >= 50 { $1.parameters.norm[4] = norm } }
    #expect(watch.life(Self.rule) == ["firing critical @50", "resolved critical @100"])
    let alert = try #require(watch.alerts(Self.rule).first)
    #expect(alert.scope == .tensor(4))
    #expect(alert.evidence.tensors == ["dense_2.weight"])
    #expect(alert.evidence.baseline == 8)
    #expect(alert.remedies.first?.action == "go back to a checkpoint from before this step")
  }

  @Test("all weights at once are the run's, a few neighbours a range")
  func several() throws {
    for (tensors, scope) in [(Array(0..<12), AlertScope.run), ([4, 5, 6], .layers(2...3))] {
      let watch = try watch(steps: 0..<60) { step, report in
        guard step >= 50 else { return }
        for tensor in tensors { report.parameters.norm[tensor] *= 0.01 }
      }
      #expect(watch.life(Self.rule) == ["firing critical @50"])
      #expect(watch.alerts(Self.rule).map(\.scope) == [scope])
      #expect(watch.open(Self.rule)?.cause.hasPrefix("several parameters") == true)
    }
  }

  @Test(
    "between every tenth report steps may go four times as far as the known ones, and not further",
    arguments: ["overwritten", "explained"]
  )
  func everyTenth(_ kind: String) throws {
    let watch = try watch(steps: stride(from: 0, to: 100, by: 10)) { step, report in
      if step >= 50 { report.parameters.norm[4] = 0.02 }
      if kind == "explained" { report.parameters.updateNorm[4] = 0.25 }
    }
    #expect(watch.life(Self.rule) == (kind == "explained" ? [] : ["firing critical @50"]))
  }

  @Test("without update norms only a thousandfold growth counts")
  func blind() throws {
    for (norm, life) in [(Float(800), []), (1e6, ["firing critical @50"])] {
      let watch = try watch(steps: 0..<60) { step, report in
        report.parameters.updateNorm = []
        if step >= 50 { report.parameters.norm[4] = norm }
      }
      #expect(watch.life(Self.rule) == life)
    }
  }

  @Test(
    "traps stay silent",
    arguments: [
      "its update explains it", "steps between reports", "zero-initialized", "NaN gradients",
      "absent for a while", "fivefold in a hundred steps", "skipped", "an offset near 0",
    ]
  )
  func traps(_ trap: String) throws {
    let distance = trap == "steps between reports" ? 20 : trap == "an offset near 0" ? 10 : 1
    let stride = stride(from: 0, to: 120, by: distance)
    let watch = try watch(steps: stride) { step, report in
      switch trap {
      case "its update explains it":
        if step == 49 { report.parameters.updateNorm[4] = 400 }
        if step >= 50 { report.parameters.norm[4] = 400 }
      case "steps between reports":
        // Ten a report, in twenty steps of one half each.
        report.parameters.norm[4] = step < 60 ? 0.1 : 0.1 + 0.5 * Float(step - 60)
        report.parameters.updateNorm[4] = 0.5
      case "zero-initialized":
        report.parameters.norm[4] = 0.5 * Float(step).squareRoot()
        report.parameters.updateNorm[4] = 0.5
      case "NaN gradients":
        if step >= 50 { report.gradients.norm = [Float](repeating: .nan, count: 12) }
        if step >= 51 { report.parameters.norm = [Float](repeating: .nan, count: 12) }
      case "absent for a while":
        guard (50..<60).contains(step) else { return }
        report.parameters.tensorIDs = [0, 1, 2, 3]
        report.parameters.norm = [8, 1, 8, 1]
        report.parameters.updateNorm = [0.008, 0.008, 0.008, 0.008]
      case "an offset near 0":
        // It turned around at 50, where its update happened to be small.
        report.parameters.norm[5] = step == 50 ? 2e-4 : 0.017
        report.parameters.updateNorm[5] = 1e-4
      case "fivefold in a hundred steps":
        report.parameters.norm[4] = 8 + 0.35 * Float(step)
        report.parameters.updateNorm[4] = 0.4
      default: report.scalars.optimizerSkipped = step % 5 == 0
      }
    }
    #expect(watch.life(Self.rule) == [])
  }

  @Test("after a restart from a checkpoint the weights are what they are")
  func rewound() throws {
    let net = try Net(depth: 2)
    var watch = try Watch(net.model)
    for step in 0..<30 { watch.feed(net.report(UInt64(step))) }
    watch.note(watch.detector.rewind(to: 10, at: Watch.time(30)))
    for step in 10..<20 { watch.feed(net.report(UInt64(step), weightNorm: 0.5)) }
    #expect(watch.life(Self.rule) == [])
  }
}
