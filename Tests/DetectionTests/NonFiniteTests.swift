import Detection
import Telemetry
import Testing

@Suite("non_finite_gradient and non_finite_loss")
struct NonFiniteTests {
  private static let gradient = "non_finite_gradient"
  private static let loss = "non_finite_loss"

  /// A report in which some layers' weights have non-finite elements.
  private func report(
    _ net: Net,
    _ step: UInt64,
    nan: [Int] = [],
    positive: [Int] = [],
    negative: [Int] = [],
    skipped: Bool = false,
    loss: Double = 1
  ) -> StepReport {
    var report = net.report(step, loss: loss)
    let none = [UInt64](repeating: 0, count: 2 * net.depth)
    (report.gradients.nanCount, report.gradients.positiveInfinityCount) = (none, none)
    report.gradients.negativeInfinityCount = none
    for layer in nan { report.gradients.nanCount[2 * layer] = 3 }
    for layer in positive { report.gradients.positiveInfinityCount[2 * layer] = 2 }
    for layer in negative { report.gradients.negativeInfinityCount[2 * layer] = 1 }
    if !(nan + positive + negative).isEmpty { report.scalars.globalNorm = .nan }
    report.scalars.optimizerSkipped = skipped
    return report
  }

  @Test("it is critical at the first occurrence, and walks from the loss to the layer that turned")
  func origin() throws {
    let net = try Net(depth: 6)
    var watch = try Watch(net.model)
    for step in 0..<20 { watch.feed(report(net, UInt64(step))) }
    watch.feed(report(net, 20, nan: [0, 1, 2], positive: [3], negative: [2]))
    #expect(watch.life(Self.gradient) == ["firing critical @20"])
    let alert = try #require(watch.open(Self.gradient))
    #expect(alert.evidence.facts["origin"] == "dense_3")
    #expect(alert.evidence.facts["nan"] == "9")
    #expect(alert.evidence.facts["positive_infinity"] == "2")
    #expect(alert.evidence.facts["negative_infinity"] == "1")
    #expect(alert.evidence.tensors.first == "dense_3.weight")
    #expect(alert.evidence.layers == ["dense_0", "dense_1", "dense_2", "dense_3"])
    #expect(alert.cause.contains("backward pass of dense_3"))
    #expect(alert.evidence.recent.count == 20)
    #expect(alert.evidence.recent.allSatisfy { $0.value.isFinite })
    #expect(alert.scope == .layers(0...3))
  }

  @Test(
    "what to try follows from how it came: no way back before the first steps, no layer if the loss is to blame"
  )
  func remedies() throws {
    let net = try Net(depth: 3)
    func remedies(_ step: UInt64, before: Double, loss: Double) throws -> [String: [String]] {
      var watch = try Watch(net.model)
      for earlier in 0..<step {
        watch.feed(report(net, earlier, loss: earlier + 1 == step ? before : 1))
      }
      watch.feed(report(net, step, nan: [0, 1, 2], loss: loss))
      return [Self.gradient, Self.loss].reduce(into: [:]) { found, rule in
        found[rule] = watch.alerts(rule).first?.remedies.map(\.action)
      }
    }
    let early = try remedies(4, before: 1, loss: 1)
    #expect(early[Self.gradient]?[0].hasPrefix("restart from the beginning") == true)
    #expect(early[Self.gradient]?[1].hasPrefix("look at the operations of the layer") == true)
    let value = "look for NaN and infinity in the inputs and targets of step 300"
    let sudden = try remedies(300, before: 1, loss: .nan)
    #expect(
      sudden[Self.gradient]?[0].hasPrefix("roll back about 100 steps before step 300") == true
    )
    #expect(sudden[Self.gradient]?[1] == value)
    #expect(sudden[Self.loss]?[0] == value)
    let grown = try remedies(300, before: 1e9, loss: .infinity)
    #expect(grown[Self.loss]?[0].hasPrefix("look at the learning rate") == true)
    #expect(grown[Self.loss]?[1] == value)
  }

  @Test("one tensor alone points at what is particular to it")
  func oneTensor() throws {
    let net = try Net(depth: 3)
    var watch = try Watch(net.model)
    watch.feed(report(net, 0, nan: [1]))
    #expect(watch.open(Self.gradient)?.cause.hasPrefix("only this tensor") == true)
  }

  @Test("without counts the norms tell, and without tensors the global norm")
  func fewerColumns() throws {
    let net = try Net(depth: 3)
    var watch = try Watch(net.model)
    watch.feed(net.report(0) { $0 == 1 ? .nan : 0.1 })
    #expect(watch.open(Self.gradient)?.evidence.layers == ["dense_1"])
    var other = try Watch(net.model)
    var scalars = StepScalars(step: 0, wallTime: WallTime(clamping: 0))
    scalars.globalNorm = .infinity
    other.feed(StepReport(sequence: 1, scalars: scalars))
    #expect(other.open(Self.gradient)?.scope == .run)
  }

  @Test("a loss scaler's rare skips are info; three in a row warn, but not while it starts")
  func skips() throws {
    let net = try Net(depth: 3)
    var watch = try Watch(net.model)
    for step in 0..<8 {
      watch.feed(report(net, UInt64(step), positive: [2], skipped: true))
    }
    #expect(watch.life(Self.gradient) == ["firing info @0"])
    for step in 8..<100 { watch.feed(report(net, UInt64(step))) }
    #expect(watch.life(Self.gradient).last == "resolved info @57")
    for step in 100..<103 {
      watch.feed(report(net, UInt64(step), positive: [2], skipped: true))
    }
    #expect(watch.life(Self.gradient).suffix(2) == ["firing info @100", "firing warning @102"])
  }

  @Test("a number of skips that no rule file could set counts as not set")
  func impossibleSkips() throws {
    let net = try Net(depth: 3)
    for value in [-1, 1e300, .nan] {
      var settings = RuleSettings(RuleID("non_finite_gradient"))
      settings.thresholds = ["skips_in_row": value]
      var watch = try Watch(net.model, rules: RuleSet([settings]))
      for step in 0..<60 { watch.feed(report(net, UInt64(step))) }
      for step in 60..<63 {
        watch.feed(report(net, UInt64(step), positive: [2], skipped: true))
      }
      #expect(watch.life(Self.gradient) == ["firing info @60", "firing warning @62"])
    }
  }

  @Test("the search of a scaler that starts far too high is not counted against it")
  func highStart() throws {
    let net = try Net(depth: 3)
    var watch = try Watch(net.model)
    for step in 0..<60 {
      // It halves from 2^28 down to 2^17, and probes once too high in between.
      let isSkip = step < 11 || step == 12
      watch.feed(report(net, UInt64(step), positive: isSkip ? [2] : [], skipped: isSkip))
    }
    #expect(watch.life(Self.gradient) == ["firing info @0"])
  }

  @Test("skipping more than 5 % of 200 steps warns")
  func manySkips() throws {
    let net = try Net(depth: 3)
    var watch = try Watch(net.model)
    for step in 0..<300 {
      let isSkip = step % 15 == 14
      watch.feed(report(net, UInt64(step), positive: isSkip ? [2] : [], skipped: isSkip))
    }
    #expect(watch.open(Self.gradient)?.severity == .warning)
  }

  @Test("it resolves after 50 clean reports, but not while weights are NaN")
  func resolves() throws {
    for weightsAreLost in [false, true] {
      let net = try Net(depth: 3)
      var watch = try Watch(net.model)
      watch.feed(report(net, 0, nan: [1]))
      for step in 1..<60 {
        var report = report(net, UInt64(step))
        if weightsAreLost { report.parameters.norm[2] = .nan }
        watch.feed(report)
      }
      #expect((watch.life(Self.gradient).last == "resolved critical @50") == !weightsAreLost)
    }
  }

  @Test("a NaN or infinite loss is critical at once, and info on a skipped step")
  func lossTurns() throws {
    for value in [Double.nan, .infinity, -.infinity] {
      for skipped in [false, true] {
        let net = try Net(depth: 3)
        var watch = try Watch(net.model)
        watch.feed(net.report(0, loss: 0.5))
        var report = net.report(1, loss: value)
        report.scalars.optimizerSkipped = skipped
        watch.feed(report)
        #expect(watch.life(Self.loss) == [skipped ? "firing info @1" : "firing critical @1"])
        #expect(watch.open(Self.loss)?.summary.contains("it was 0.5 at step 0") == true)
      }
    }
  }

  @Test("no loss at all is no fault")
  func noLoss() throws {
    let net = try Net(depth: 3)
    var watch = try Watch(net.model)
    for step in 0..<60 { watch.feed(net.report(UInt64(step), loss: nil)) }
    #expect(watch.log.isEmpty)
  }
}
