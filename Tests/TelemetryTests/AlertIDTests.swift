import Telemetry
import Testing

@Suite("Alert identifiers")
struct AlertIDTests {
  private func identifier(
    run: String = "run-1",
    producer: String = "rank-0",
    rule: String = "exploding_gradient",
    scope: AlertScope = .run,
    firstStep: UInt64 = 41
  ) -> AlertID {
    AlertID(
      run: RunID(stored: run),
      producer: ProducerID(stored: producer),
      rule: RuleID(rule),
      scope: scope,
      firstStep: firstStep
    )
  }

  // Computed by a separate FNV-1a in Python over the parts, each followed by a zero byte. They are
  // stored in databases, so they never change.
  @Test("the identifier of an episode is the same for ever")
  func golden() {
    #expect(identifier().rawValue == "a5f85fb83013a8b6")
    #expect(
      identifier(rule: "vanishing_gradient", scope: .layers(0...3)).rawValue == "9635f9b638a3a5c7"
    )
    #expect(identifier(rule: "dead_layer", scope: .tensor(7)).rawValue == "6b388260e2de43da")
  }

  @Test("a small hash is padded to 16 digits")
  func padded() {
    let small = identifier(run: "r", producer: "p", rule: "rule", firstStep: 1960)
    #expect(small.rawValue == "0035f3b25aed864c")
  }

  @Test("each part of an episode changes its identifier")
  func parts() {
    let identifiers = [
      identifier(),
      identifier(run: "run-2"),
      identifier(producer: "rank-1"),
      identifier(rule: "dead_layer"),
      identifier(firstStep: 42),
      identifier(scope: .layers(0...0)),
      identifier(scope: .layers(0...1)),
      identifier(scope: .layers(1...1)),
      identifier(scope: .tensor(0)),
      identifier(scope: .tensor(1)),
    ]
    #expect(Set(identifiers).count == identifiers.count)
  }

  @Test("parts that only together spell the same text are told apart")
  func separator() {
    #expect(identifier(run: "a", producer: "bc") != identifier(run: "ab", producer: "c"))
    #expect(identifier(producer: "a", rule: "bc") != identifier(producer: "ab", rule: "c"))
    #expect(identifier(run: "", producer: "a") != identifier(run: "a", producer: ""))
    #expect(identifier(scope: .layers(1...112)) != identifier(scope: .layers(11...12)))
  }

  @Test("an alert takes its identifier from its parts, and starts pending")
  func alert() {
    let alert = Alert(
      run: RunID(stored: "run-1"),
      producer: ProducerID(stored: "rank-0"),
      rule: RuleID("dead_layer"),
      severity: .warning,
      scope: .tensor(7),
      summary: "",
      cause: "",
      confidence: 1,
      evidence: Evidence(quantity: "norm", observed: 0, firstStep: 41, lastStep: 50),
      remedies: [],
      firstStep: 41,
      startedAt: WallTime(clamping: 5)
    )
    #expect(alert.id == identifier(rule: "dead_layer", scope: .tensor(7)))
    #expect(alert.state == .pending)
    #expect(alert.firedStep == nil && alert.resolvedAt == nil && alert.reopenedCount == 0)
  }

  @Test("identifiers from outside are kept and order by their text")
  func raw() {
    #expect(AlertID("00ff").description == "00ff")
    #expect(AlertID("00ff") < AlertID("0100"))
  }
}
