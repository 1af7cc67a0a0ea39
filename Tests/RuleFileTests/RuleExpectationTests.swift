import RuleFile
import Telemetry
import Testing

@Suite("What a rule file expects")
struct RuleExpectationTests {
  private let rule = RuleID("dead_relu")
  private let alerts: [(rule: RuleID, severity: Severity, firedStep: UInt64)] = [
    (RuleID("dead_relu"), .warning, 40), (RuleID("loss_spike"), .critical, 7),
  ]

  @Test("is met by an alert of the rule, at a step of the range and severe enough")
  func met() {
    for outcome: RuleExpectation.Outcome in [
      .fires(severity: .info, steps: 0...Step.maximum), .fires(severity: .warning, steps: 40...40),
    ] {
      #expect(RuleExpectation(rule, outcome).mismatch(among: alerts) == nil)
    }
    #expect(RuleExpectation(RuleID("loss_plateau"), .never).mismatch(among: alerts) == nil)
  }

  @Test("is missed by one too early, too late, or too mild, and by none at all")
  func missed() {
    #expect(
      RuleExpectation(rule, .fires(severity: .warning, steps: 41...50)).mismatch(among: alerts)
        == "dead_relu: expected an alert of severity warning or higher from step 41 to 50, "
        + "found warning at step 40"
    )
    #expect(
      RuleExpectation(rule, .fires(severity: .info, steps: 0...39)).mismatch(among: alerts) != nil
    )
    #expect(
      RuleExpectation(rule, .fires(severity: .critical, steps: 0...99)).mismatch(among: alerts)
        != nil
    )
    #expect(
      RuleExpectation(rule, .never).mismatch(among: alerts)
        == "dead_relu: expected no alert, found warning at step 40"
    )
    #expect(
      RuleExpectation(rule, .fires(severity: .info, steps: 0...Step.maximum)).mismatch(among: [])
        == "dead_relu: expected an alert of severity info or higher, found none"
    )
  }
}
