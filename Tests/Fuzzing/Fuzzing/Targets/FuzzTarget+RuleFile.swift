import Detection
import RuleFile
import Telemetry
import TelemetryTesting
import TelemetryWire

extension FuzzTarget {
  /// Users' rule files: to the rules that a detector runs with, and back to text.
  static let ruleFile = FuzzTarget(
    name: "rule_file",
    seeds: { random in
      try (0..<24).map { _ in Array(try randomRuleFile(using: &random).text.utf8) }
        + [Array(sampleRuleFile.utf8)]
    },
    mutate: { text, pool, random in
      TextMutation(words: ruleFileWords).change(&text, pool: pool, &random)
    },
    check: { input throws(FuzzFinding) in
      let file: RuleFile
      do throws(RuleFileError) {
        file = try RuleFile(parsing: input, name: "fuzz.yaml")
      } catch {
        guard !error.problems.isEmpty, !error.description.isEmpty else {
          throw FuzzFinding("refused without a problem")
        }
        return false
      }
      do {
        let again = try RuleFile(parsing: Array(file.text.utf8), name: "written.yaml")
        guard again == file else {
          throw FuzzFinding("expected the same file back from its text, found \(file.text)")
        }
        try Detector.check(file.rules)
        guard try RuleSet(wire: Gradwatch_V1_RuleSet(file.rules)) == file.rules else {
          throw FuzzFinding("the rules are others after a way over the wire")
        }
        let run = try RunBuilder(run: "fuzz")
        var detector = Detector(
          run: run.registration.run,
          producer: run.registration.producer.id,
          model: run.registration.model,
          rules: file.rules
        )
        for sequence in UInt64(1)...4 {
          let trouble = sequence.isMultiple(of: 2) ? TroubledReport.nonFinite : .exploding
          let report = trouble.report(sequence, of: run)
          _ = detector.observe(report, receivedAt: report.scalars.wallTime)
        }
      } catch let finding as FuzzFinding {
        throw finding
      } catch {
        throw FuzzFinding("what was accepted is refused behind: \(error)")
      }
      return true
    }
  )

  private static let sampleRuleFile = """
    rules:
      gradient_spike: off
      dead_relu: {warning_share: 0.9}
      clipping_every_step:
        severities: {info: off, warning: critical}
      vanishing_gradient:
        enabled: on
        layers: ["encoder.*"]
        except_layers: ["*.embed"]
        roles: [weight, recurrent]
    expect:
      gradient_spike: never
      exploding_gradient: {from: 60, to: 65, severity: critical}
      dead_relu: fires
    """

  private static let ruleFileWords =
    Detector.catalogue.flatMap { [$0.id.rawValue] + $0.thresholds.map(\.name) } + [
      "on", "off", "never", "fires", "null", "~", "true", "0", "-0", "1e999", "-1", ".nan", ".inf",
      "0x10", "1e-400", "18446744073709551616", "9223372036854775808", "&a", "*a", "<<", "!!str",
      "!!binary", "? ", ": ", "- ", "[", "]", "{", "}", "|", ">", "\"", "'", "\\x00", "#", "---",
      "...", "%YAML 1.1", "\t", "\u{feff}", "\u{0}", "[[[[[[[[[[[[[[[[", "{a: {b: {c: {d: ",
      "rules", "expect", "enabled", "layers", "except_layers", "roles", "severities", "from", "to",
      "severity", "info", "warning", "critical", "weight", "ü", "\r\n",
    ]

  private static func randomRuleFile(using random: inout SeededGenerator) throws -> RuleFile {
    var settings: [RuleSettings] = []
    for rule in Detector.catalogue where Int.random(in: 0..<3, using: &random) == 0 {
      var one = RuleSettings(rule.id)
      if Bool.random(using: &random) { one.isEnabled = Bool.random(using: &random) }
      for threshold in rule.thresholds where Bool.random(using: &random) {
        one.thresholds[threshold.name] = threshold.standard
      }
      if Bool.random(using: &random) {
        one.severities = [.info: Severity?.none, .warning: .critical]
      }
      if Bool.random(using: &random) { one.layers = ["encoder.*", "?\"\\ü"] }
      if Bool.random(using: &random) { one.exceptLayers = ["*.embed"] }
      if Bool.random(using: &random) { one.roles = [.weight, .recurrent] }
      settings.append(one)
    }
    return RuleFile(rules: RuleSet(settings))
  }
}
