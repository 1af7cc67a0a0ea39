import Detection
import RuleFile
import Telemetry
import TelemetryTesting
import Testing

@Suite("A rule file that was written")
struct RuleFileTextTests {
  /// Any settings that a rule may have.
  private func settings(
    of rule: RuleDescription,
    using random: inout SeededGenerator
  ) -> RuleSettings {
    var settings = RuleSettings(rule.id)
    settings.isEnabled = [nil, true, false].randomElement(using: &random) ?? nil
    for threshold in rule.thresholds where Bool.random(using: &random) {
      settings.thresholds[threshold.name] = Double.random(in: threshold.range, using: &random)
    }
    for severity in Severity.allCases where Bool.random(using: &random) {
      settings.severities[severity] = .some(
        ([nil] + Severity.allCases).randomElement(using: &random) ?? nil
      )
    }
    let globs = ["*", "enc.*", "off", "12", "a: b", "#x", "\"q\"", "é", "- ", "null", "a?b"]
    settings.layers = globs.filter { _ in Int.random(in: 0..<4, using: &random) == 0 }
    settings.exceptLayers = globs.filter { _ in Int.random(in: 0..<4, using: &random) == 0 }
    settings.roles = Set(
      TensorRole.allCases.filter { _ in Int.random(in: 0..<4, using: &random) == 0 }
    )
    return settings
  }

  @Test("is read back the same", arguments: 1...60)
  func roundTrip(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var file = RuleFile(rules: RuleSet())
    var rules: [RuleSettings] = []
    var expectations: [RuleExpectation] = []
    for rule in Detector.catalogue where Bool.random(using: &random) {
      let settings = settings(of: rule, using: &random)
      if settings != RuleSettings(rule.id) { rules.append(settings) }
      switch Int.random(in: 0..<4, using: &random) {
      case 0: expectations.append(RuleExpectation(rule.id, .never))
      case 1:
        expectations.append(
          RuleExpectation(rule.id, .fires(severity: .info, steps: 0...Step.maximum))
        )
      case 2:
        expectations.append(RuleExpectation(rule.id, .fires(severity: .critical, steps: 3...900)))
      default: break
      }
    }
    file = RuleFile(rules: RuleSet(rules), expectations: expectations)
    let read = try RuleFile(parsing: Array(file.text.utf8), name: "written")
    #expect(read == file, "\(file.text)")
  }

  @Test("is as a person would write it")
  func asAPersonWouldWriteIt() {
    var spike = RuleSettings(RuleID("gradient_spike"))
    spike.isEnabled = false
    var dead = RuleSettings(RuleID("dead_relu"))
    dead.thresholds = ["warning_share": 0.5]
    dead.severities = [.warning: nil]
    dead.layers = ["*.relu"]
    #expect(
      RuleFile(rules: RuleSet([spike, dead])).text == """
        rules:
          dead_relu:
            warning_share: 0.5
            severities: {warning: off}
            layers: ["*.relu"]
          gradient_spike: off

        """
    )
  }

  @Test("has room for every rule's thresholds beside the other settings")
  func namesAreFree() {
    for rule in Detector.catalogue {
      for threshold in rule.thresholds {
        #expect(
          !["enabled", "severities", "layers", "except_layers", "roles"].contains(threshold.name),
          "\(rule.id).\(threshold.name)"
        )
      }
    }
  }
}
