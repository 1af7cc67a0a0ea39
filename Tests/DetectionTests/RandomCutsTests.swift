import Detection
import Telemetry
import TelemetryTesting
import Testing

/// One pass, restarts at any step, and replays from earlier snapshots all give the same.
@Suite("random cuts")
struct RandomCutsTests {
  /// What a producer does.
  private enum Event {
    case report(StepReport)
    case rewind(UInt64)
    case apply(RuleSet)
  }

  private static let steps = 400

  @Test("restored at random steps, or replayed from earlier ones, a run is the uncut one")
  func cuts() throws {
    let model = try #require(HealthyRun.transformer)
    let script = Self.script(model)
    var whole = try Self.detector(model)
    let expected = script.map { Self.texts(&whole, $0) }
    let last = whole.snapshot()
    for rule in [
      "clipping_every_step", "dead_relu", "exploding_gradient", "gradient_long_tail",
      "gradient_spike", "gradient_underflow", "loss_divergence", "loss_oscillation", "loss_spike",
      "non_finite_gradient", "non_finite_loss", "rnn_vanishing_through_time",
      "saturated_activation", "unchanged_weights", "update_ratio_too_high", "vanishing_gradient",
      "weight_jump",
    ] {
      #expect(expected.joined().contains { $0.contains("firing") && $0.contains(rule) }, "\(rule)")
    }
    for seed in 1...24 {
      var noise = Noise(seed: UInt64(seed))
      var live = try Self.detector(model)
      var kept: [(position: Int, bytes: [UInt8])] = [(0, live.snapshot())]
      var position = 0
      while position < script.count {
        let cut = min(script.count, position + 1 + Int(noise.next() % 150))
        for index in position..<cut {
          let texts = Self.texts(&live, script[index])
          #expect(texts == expected[index], "seed \(seed), event \(index)")
        }
        position = cut
        kept.append((cut, live.snapshot()))
        // Half of the times as after a stop, otherwise as after a crash: back to any snapshot.
        let isCrash = noise.next() % 2 == 0
        let chosen = isCrash ? kept[Int(noise.next() % UInt64(kept.count))] : kept[kept.count - 1]
        live = try Detector(
          run: RunID("run"),
          producer: ProducerID("rank-0"),
          model: model,
          restoring: chosen.bytes
        )
        for index in chosen.position..<position {
          let texts = Self.texts(&live, script[index])
          #expect(texts == expected[index], "seed \(seed), event \(index) again")
        }
      }
      #expect(live.snapshot() == last, "seed \(seed)")
    }
  }

  @Test("the order in which a report names tensors and layers changes nothing")
  func order() throws {
    let model = try #require(HealthyRun.transformer)
    var (named, shuffled) = (try Self.detector(model), try Self.detector(model))
    var random = SeededGenerator(seed: 5)
    for (index, event) in Self.script(model).enumerated() {
      var other = event
      if case .report(let report) = event {
        other = .report(report.shuffled(model, using: &random))
      }
      #expect(Self.texts(&named, event) == Self.texts(&shuffled, other), "event \(index)")
    }
  }

  private static func detector(_ model: Model) throws -> Detector {
    Detector(run: try RunID("run"), producer: try ProducerID("rank-0"), model: model)
  }

  /// Transitions as text, because NaN in evidence is unequal to itself.
  private static func texts(_ detector: inout Detector, _ event: Event) -> [String] {
    let changes =
      switch event {
      case .report(let report): detector.observe(report, receivedAt: Watch.time(report.step))
      case .rewind(let step): detector.rewind(to: step, at: Watch.time(step))
      case .apply(let rules): detector.apply(rules, at: Watch.time(0))
      }
    return changes.map { change in
      let facts = change.alert.evidence.facts.sorted { $0.key < $1.key }
      var copy = change
      copy.alert.evidence.facts = [:]
      return "\(copy) \(facts)"
    }
  }

  /// A run with nearly every fault, a step back, and other rules from its middle on.
  private static func script(_ model: Model) -> [Event] {
    var run = HealthyRun(model, seed: 7)
    var events: [Event] = []
    for turn in 0..<steps {
      var report = run.report(turn)
      breakGradients(&report, turn, run)
      breakWeights(&report, turn)
      breakLoss(&report, turn)
      if turn == 180 {
        var settings = RuleSettings(RuleID("loss_spike"))
        settings.thresholds = ["warning_ratio": 1.7]
        var other = RuleSettings(RuleID("dead_relu"))
        other.isEnabled = false
        events.append(.apply(RuleSet([settings, other])))
      }
      // Back from 319 to 300.
      if turn == 320 { events.append(.rewind(300)) }
      if turn >= 320 { report.scalars.step = UInt64(turn - 20) }
      events.append(.report(report))
    }
    return events
  }

  private static func breakGradients(_ report: inout StepReport, _ turn: Int, _ run: HealthyRun) {
    let tensors = run.model.tensors
    switch turn {
    case 45: report.scaleNorms { _ in 80 }
    case 60..<90: report.scaleNorms { power(0.6, tensors.count - 1 - $0) }
    case 95...97:
      report.scalars.optimizerSkipped = true
      report.scalars.globalNorm = .infinity
    case 150..<175:
      for index in report.gradients.max.indices { report.gradients.max[index] = 1000 }
      report.histograms = run.histograms(report.gradients)
      if turn > 155 {
        // A few elements far above a middle that stays where it was.
        report.histograms = tail(tensors.count)
      }
    case 200..<220:
      var column = ExponentialHistogramColumn()
      for _ in tensors {
        column.append(
          ExponentialHistogram(zeroCount: 400, positive: .init(offset: -24, counts: [9, 90, 500]))
        )
      }
      report.histograms = column
    case 290: report.gradients.nanCount[4] = 2
    case 360...: report.scaleNorms { _ in power(1.3, min(turn - 360, 60)) }
    default: break
    }
    if (230..<260).contains(turn) {
      report.timeStepNorms = [
        TimeStepNorms(
          layer: 2,
          positions: (0..<20).map { UInt32(5 * $0) },
          norms: (0..<20).map { power(0.4, 19 - $0) }
        )
      ]
    }
  }

  private static func tail(_ count: Int) -> ExponentialHistogramColumn {
    var column = ExponentialHistogramColumn()
    for _ in 0..<count {
      let counts: [UInt64] = [500, 400] + Array(repeating: 0, count: 18) + [9]
      column.append(ExponentialHistogram(positive: .init(offset: -14, counts: counts)))
    }
    return column
  }

  private static func breakWeights(_ report: inout StepReport, _ turn: Int) {
    switch turn {
    case 100..<130: report.parameters.updateNorm[5] = 0
    case 262..<282:
      for index in report.parameters.norm.indices {
        report.parameters.updateNorm[index] = 0.3 * report.parameters.norm[index]
      }
    case 285: report.parameters.norm[8] = 3e30
    default: break
    }
    for layer in 3...4 {
      if turn < 30 { report.activations.deadUnitFraction[layer] = 0.97 }
      if (130..<150).contains(turn) { report.activations.saturatedFraction[layer] = 0.97 }
    }
    if (180..<310).contains(turn) { report.clip(at: 0.01, norm: report.scalars.globalNorm ?? 0) }
    report.scalars.learningRate = turn < 140 ? 0.001 : 0.0001
    report.scalars.batchSize = turn < 170 ? 32 : 128
  }

  private static func breakLoss(_ report: inout StepReport, _ turn: Int) {
    let loss = report.scalars.primaryLoss ?? 1
    switch turn {
    case 50..<110:
      report.setLoss(turn % 2 == 0 ? loss : 1.8 * loss)
      // Steps as long as such swings need.
      report.scalars.globalNorm = 5
    // High long enough that the average follows, so that the alert lingers.
    case 225..<231: report.setLoss(12)
    case 285, 355: report.setLoss(.nan)
    case 330...: report.setLoss(loss * Double(turn - 325))
    default: break
    }
  }
}
