import Telemetry
import Testing

@Suite("A silence")
struct SilenceTests {
  private let now = WallTime(clamping: 100)

  private func alert(layers: [String] = []) -> Alert {
    var evidence = Evidence(quantity: "norm", observed: 1, firstStep: 1, lastStep: 1)
    evidence.layers = layers
    return Alert(
      run: RunID(stored: "r"),
      producer: ProducerID(stored: "p"),
      rule: RuleID("dead_relu"),
      severity: .warning,
      scope: .run,
      summary: "",
      cause: "",
      confidence: 1,
      evidence: evidence,
      remedies: [],
      firstStep: 1,
      startedAt: now
    )
  }

  private func silence(_ change: (inout Silence) -> Void) -> Silence {
    var silence = Silence(
      id: "s",
      endsAt: WallTime(clamping: 200),
      createdAt: now,
      author: "ada"
    )
    change(&silence)
    return silence
  }

  @Test("covers what all of its matchers match")
  func matchers() {
    let alert = alert(layers: ["encoder.0", "encoder.1"])
    func covers(_ change: (inout Silence) -> Void) -> Bool {
      silence(change).covers(alert, of: "lm", at: now)
    }
    #expect(covers { $0.rule = RuleID("dead_relu") })
    #expect(!covers { $0.rule = RuleID("loss_spike") })
    #expect(covers { $0.project = "lm" })
    #expect(!covers { $0.project = "vision" })
    #expect(covers { $0.run = RunID(stored: "r") })
    #expect(!covers { $0.run = RunID(stored: "other") })
    #expect(!covers { ($0.rule, $0.project) = (RuleID("dead_relu"), "vision") })
    #expect(covers { $0.layer = "encoder.*" })
    // An alert that is about more than what is silenced is heard.
    #expect(!covers { $0.layer = "encoder.0" })
    #expect(!silence { $0.layer = "*" }.covers(self.alert(), of: "lm", at: now))
  }

  @Test("ends at its time")
  func ends() {
    let silence = silence { $0.project = "lm" }
    #expect(silence.covers(alert(), of: "lm", at: WallTime(clamping: 199.9)))
    #expect(!silence.covers(alert(), of: "lm", at: silence.endsAt))
  }
}
