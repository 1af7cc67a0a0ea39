import Query
import Telemetry
import TelemetryTesting
import Testing

@Suite("The story of a run")
struct DiagnosisTests {
  @Test("a bad initialization explains the explosion that explains the NaN, and twenty symptoms")
  func initializationToNaN() throws {
    var run = try Case(steps: 20)
    run.add("poor_initialization", at: 0, layers: 0...7)
    run.add("exploding_gradient", at: 1, layers: 0...7)
    run.add("loss_divergence", at: 2)
    run.add("non_finite_gradient", at: 3, layers: 0...7)
    run.add("non_finite_loss", at: 4)
    for layer in 0..<7 as Range<UInt32> {
      run.add("dead_relu", at: 4, .warning, layers: layer...layer)
      run.add("weight_jump", at: 4, layers: layer...layer)
    }
    run.add("update_ratio_too_high", at: 1, layers: 0...7)
    let diagnosis = run.diagnosis
    #expect(diagnosis.alertCount == 20)
    #expect(
      run.trees == [
        "poor_initialization [exploding_gradient [update_ratio_too_high [loss_divergence], "
          + "non_finite_gradient [non_finite_loss, weight_jump]], dead_relu]"
      ]
    )
    #expect(diagnosis.verdict == .sick)
    #expect(diagnosis.openSeverity == .critical)
    #expect(
      diagnosis.summary
        == "poor initialization since step 0 in fc0 to fc7 explains exploding gradient, update ratio "
        + "too high, loss divergence, non finite gradient and 3 more"
    )
    let dead = try #require(
      diagnosis.roots[0].finding.all.first { $0.rule.rawValue == "dead_relu" }
    )
    #expect(dead.alerts.count == 7)
    #expect(dead.layers == (0..<7).map { "fc\($0)" })
  }

  @Test("of the two rules for values that are not finite, the one that came first is the cause")
  func whichWasFirst() throws {
    for (gradient, loss, expected) in [
      (90, 91, "non_finite_gradient [non_finite_loss]"),
      (91, 90, "non_finite_loss [non_finite_gradient]"),
      // Within a step the loss is computed first.
      (90, 90, "non_finite_loss [non_finite_gradient]"),
    ] as [(UInt64, UInt64, String)] {
      var run = try Case()
      run.add("non_finite_gradient", at: gradient)
      run.add("non_finite_loss", at: loss)
      #expect(run.trees == [expected])
    }
  }

  @Test("two faults that have nothing to do with each other are two causes, the worse one first")
  func independentFaults() throws {
    var run = try Case()
    run.add("clipping_every_step", at: 10, .warning)
    run.add("update_ratio_too_low", at: 12, .warning, layers: 0...7)
    run.add("weight_jump", at: 160, layers: 1...1)
    run.add("non_finite_loss", at: 161)
    #expect(
      run.trees == [
        "weight_jump [non_finite_loss]", "clipping_every_step [update_ratio_too_low]",
      ]
    )
    #expect(run.diagnosis.summary.hasSuffix("; one more fault has a cause of its own"))
  }

  @Test("what began before its supposed cause is no consequence of it")
  func effectBeforeCause() throws {
    var run = try Case()
    run.add("loss_plateau", at: 20, .warning)
    run.add("vanishing_gradient", at: 200, .warning, layers: 0...3)
    #expect(run.trees.sorted() == ["loss_plateau", "vanishing_gradient"])
    // But a rule that smooths may date its finding a few steps late.
    run = try Case()
    run.add("loss_plateau", at: 20, .warning)
    run.add("vanishing_gradient", at: 30, .warning, layers: 0...3)
    #expect(run.trees == ["vanishing_gradient [loss_plateau]"])
    let claim = try #require(run.diagnosis.roots[0].finding.consequences[0].claim)
    #expect(claim.delay == -10)
    #expect(claim.reason.contains("noticed 10 steps earlier"))
  }

  @Test("a cause that was resolved long before explains nothing any more")
  func causeIsOver() throws {
    var run = try Case(steps: 2000)
    run.add("exploding_gradient", at: 5, resolved: 60)
    run.add("non_finite_gradient", at: 1500)
    #expect(run.trees == ["non_finite_gradient", "exploding_gradient"])
    run = try Case(steps: 2000)
    run.add("exploding_gradient", at: 5, resolved: 60)
    run.add("non_finite_gradient", at: 70)
    #expect(run.trees == ["exploding_gradient [non_finite_gradient]"])
  }

  @Test("gradients flow toward the input: a saturated layer starves those before it only")
  func towardInput() throws {
    var run = try Case(activation: "sigmoid")
    run.add("saturated_activation", at: 5, .warning, layers: 4...4)
    run.add("vanishing_gradient", at: 10, layers: 0...3)
    run.add("loss_plateau", at: 50, .warning)
    run.add("update_ratio_too_low", at: 60, .warning, layers: 0...2)
    #expect(
      run.trees == [
        "saturated_activation [vanishing_gradient [loss_plateau, update_ratio_too_low]]"
      ]
    )
    run = try Case(activation: "sigmoid")
    run.add("saturated_activation", at: 5, .warning, layers: 1...1)
    run.add("vanishing_gradient", at: 10, layers: 3...7)
    #expect(run.trees == ["vanishing_gradient", "saturated_activation"])
  }

  @Test("the same fault of several ranks is one finding that names them")
  func ranks() throws {
    var run = try Case()
    let producers = (0..<4 as Range<UInt32>).map {
      Producer(id: ProducerID(stored: "rank-\($0)"), rank: $0, worldSize: 4)
    }
    run.history.producers = producers
    for rank in [3, 1, 2] {
      run.add("non_finite_gradient", at: rank == 3 ? 50 : 51, producer: producers[rank].id)
    }
    let finding = try #require(run.diagnosis.roots.first?.finding)
    #expect(run.diagnosis.roots.count == 1)
    #expect(finding.ranks == [1, 2, 3])
    #expect(finding.producers.map(\.rawValue) == ["rank-1", "rank-2", "rank-3"])
    #expect(finding.alerts.count == 3)
    #expect(finding.alerts[0].producer.rawValue == "rank-3")
    #expect(run.diagnosis.summary == "non finite gradient since step 50 on ranks 1, 2 and 3")
  }

  @Test("spikes without cause or consequence are told once, however far apart")
  func repeatedSpikes() throws {
    var run = try Case(steps: 5000)
    for step in stride(from: 100 as UInt64, to: 5000, by: 1000) {
      run.add("gradient_spike", at: step, .warning, resolved: step + 20)
    }
    let diagnosis = run.diagnosis
    #expect(run.trees == ["gradient_spike"])
    #expect(diagnosis.roots[0].finding.alerts.map(\.firstStep) == [100, 1100, 2100, 3100, 4100])
    #expect(diagnosis.roots[0].finding.resolvedStep == 4120)
    #expect(diagnosis.verdict == .recovered)
    #expect(diagnosis.openSeverity == nil)
    #expect(
      diagnosis.summary == "recovered: gradient spike since step 100, and all of it was resolved"
    )
  }

  @Test("a run without alerts above info is healthy")
  func healthy() throws {
    var run = try Case()
    #expect(run.diagnosis.verdict == .healthy)
    #expect(run.diagnosis.summary == "healthy: nothing above info in 300 steps")
    run.add("vanishing_gradient", at: 5, .info, layers: 0...1)
    #expect(run.diagnosis.verdict == .healthy)
    #expect(run.diagnosis.openSeverity == .info)
    #expect(run.trees == ["vanishing_gradient"])
    let empty = CaseHistory(run: run.history.run, status: .running, model: run.history.model)
    #expect(Diagnosis(of: empty).verdict == .noData)
    #expect(Diagnosis(of: empty).summary == "no data: no step was reported yet")
  }

  @Test("alerts that never fired, and those of steps that were rewound, tell nothing")
  func notTold() throws {
    var run = try Case()
    run.add("exploding_gradient", at: 10)
    run.history.alerts[0].state = .pending
    run.history.alerts[0].firedStep = nil
    run.add("non_finite_loss", at: 40, resolved: 30)
    run.history.alerts[1].evidence.facts["resolution"] = "rewound"
    #expect(run.diagnosis.roots.isEmpty)
    #expect(run.diagnosis.verdict == .healthy)
  }

  @Test("the order in which alerts are listed makes no difference")
  func deterministic() throws {
    var run = try Case()
    let rules = Case.rules.filter { $0 != "stalled_run" }
    for (index, rule) in rules.enumerated() {
      run.add(rule, at: UInt64(index * 7 % 50), index % 3 == 0 ? .critical : .warning)
      run.add(rule, at: UInt64(index * 5 % 40), .warning, layers: UInt32(index % 8)...7)
    }
    let expected = run.diagnosis
    #expect(expected.alertCount == 2 * rules.count)
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<20 {
      run.history.alerts.shuffle(using: &generator)
      #expect(run.diagnosis == expected)
    }
  }

  @Test("causes that could go in a circle are cut open, and none is lost")
  func circle() throws {
    var run = try Case()
    // The last two explain each other's cause, but for what the first one's rule takes to notice.
    run.add("update_ratio_too_high", at: 30)
    run.add("loss_spike", at: 13)
    run.add("gradient_spike", at: 13)
    #expect(run.trees == ["update_ratio_too_high [loss_spike [gradient_spike]]"])
  }

  @Test("every alert that fired is told exactly once, whatever the run")
  func everyAlertOnce() throws {
    for seed in 0..<50 as Range<UInt64> {
      var run = try Case(steps: 1000)
      var generator = SeededGenerator(seed: seed)
      func next(_ bound: UInt64) -> UInt64 { .random(in: 0..<bound, using: &generator) }
      for _ in 0..<40 {
        // In every other run nearly all at once, where causes could go in circles.
        let (step, layer) = (next(seed % 2 == 0 ? 900 : 12), UInt32(next(8)))
        run.add(
          Case.rules[Int(next(UInt64(Case.rules.count)))],
          at: step,
          next(2) == 0 ? .warning : .critical,
          resolved: next(2) == 0 ? nil : step + next(90),
          layers: next(3) == 0 ? nil : layer...layer
        )
      }
      // Two alerts of one rule, place and step are one alert.
      var seen: Set<AlertID> = []
      run.history.alerts.removeAll { !seen.insert($0.id).inserted }
      let diagnosis = run.diagnosis
      let told = diagnosis.roots.flatMap(\.finding.all).flatMap(\.alerts).map(\.id)
      #expect(told.count == seen.count, "seed \(seed)")
      #expect(Set(told) == seen, "seed \(seed)")
      for finding in diagnosis.roots.flatMap(\.finding.all) {
        for below in finding.consequences {
          let claim = try #require(below.claim)
          #expect((0.3...1).contains(claim.confidence))
        }
      }
    }
  }
}
