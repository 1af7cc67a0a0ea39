import Detection
import Telemetry
import Testing

@Suite("gradient_spike")
struct GradientSpikeTests {
  private static let rule = "gradient_spike"

  /// Noisy norms around 1, with what `spike` says at some steps.
  private func watch(
    steps: Int,
    seed: UInt64 = 1,
    phase: TrainingPhase = .main,
    spike: (Int) -> Float?
  ) throws -> Watch {
    let net = try Net(depth: 4)
    var watch = try Watch(net.model)
    var noise = Noise(seed: seed)
    for step in 0..<steps {
      let usual = Float(noise.factor(1.5))
      var report = net.report(UInt64(step)) { layer in
        // The last layer carries the spike.
        layer == 3 ? usual * (spike(step) ?? 1) : usual
      }
      report.scalars.phase = phase
      watch.feed(report)
    }
    return watch
  }

  @Test(
    "a step of 30 times the usual warns at that step, names the layer, and resolves in 20 steps"
  )
  func oneSpike() throws {
    let watch = try watch(steps: 160) { $0 == 100 ? 30 : nil }
    #expect(watch.life(Self.rule) == ["firing warning @100", "resolved warning @120"])
    let alert = watch.log[0].alert
    #expect(alert.evidence.layers == ["dense_3"])
    #expect(alert.evidence.tensors.first?.hasPrefix("dense_3") == true)
    #expect(alert.evidence.recent.count == 20)
    #expect(alert.summary.contains("at step 100, most in dense_3"))
  }

  @Test("one extreme first norm does not hide a spike")
  func extremeStart() throws {
    let watch = try watch(steps: 110) { [0: 1e15, 100: 30][$0] }
    #expect(watch.life(Self.rule) == ["firing warning @100"])
    let healthy = try self.watch(steps: 110) { $0 == 0 ? 1e15 : nil }
    #expect(healthy.life(Self.rule) == [])
  }

  @Test("a hundredfold step and more is critical")
  func hugeSpike() throws {
    let watch = try watch(steps: 120) { $0 == 100 ? 500 : nil }
    #expect(watch.life(Self.rule) == ["firing critical @100"])
  }

  @Test("a burst of spikes is one alert")
  func burst() throws {
    let watch = try watch(steps: 140) { [100: 20, 101: 1, 102: 100][$0] }
    #expect(watch.life(Self.rule).count { $0.hasPrefix("firing warning") } == 1)
    #expect(watch.life(Self.rule).last?.hasPrefix("resolved") == true)
  }

  @Test("a spike after which the loss doubles is critical")
  func lossFollows() throws {
    let net = try Net(depth: 4)
    var watch = try Watch(net.model)
    for step in 0..<120 {
      let loss = step <= 100 ? 1.0 : 8
      watch.feed(net.report(UInt64(step), loss: loss) { _ in step == 100 ? 2 : 0.1 })
    }
    #expect(watch.life(Self.rule).prefix(2) == ["firing warning @100", "firing critical @103"])
  }

  @Test("while the rate rises a spike is info")
  func warmup() throws {
    let watch = try watch(steps: 110, phase: .warmup) { $0 == 100 ? 30 : nil }
    #expect(watch.life(Self.rule) == ["firing info @100"])
  }

  @Test("a spike within the first 32 reports has nothing to be held against")
  func early() throws {
    #expect(try watch(steps: 60) { $0 == 20 ? 30 : nil }.life(Self.rule) == [])
  }

  @Test(
    "heavy-tailed norms, as of converged runs and batches of one, stay silent",
    arguments: 1...5
  )
  func heavyTail(_ seed: UInt64) throws {
    let net = try Net(depth: 2)
    var watch = try Watch(net.model)
    var noise = Noise(seed: seed)
    for step in 0..<3000 {
      // A Pareto tail with exponent 4: one norm in 10,000 is ten times the least one, and one in
      // 256 four times.
      let size = 0.01 / noise.fraction().squareRoot().squareRoot()
      watch.feed(net.report(UInt64(step), loss: 1 / (1 + 0.01 * Double(step))) { _ in Float(size) })
    }
    #expect(watch.log == [])
  }
}
