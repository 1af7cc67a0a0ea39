import RuleFile
import Telemetry
import Testing

@Suite("A rule file")
struct RuleFileTests {
  private func parse(_ text: String) throws -> RuleFile {
    try RuleFile(parsing: Array(text.utf8), name: "rules.yaml")
  }

  @Test("sets thresholds, severities, selectors and switches")
  func everySetting() throws {
    let file = try parse(
      """
      # What our team wants.
      rules:
        dead_relu: {warning_share: 0.9}
        gradient_spike: off
        loss_spike: on
        clipping_every_step:
          severities: {info: off, warning: critical}
          warning_share: 0.99
        vanishing_gradient:
          enabled: on
          layers: ["encoder.*"]
          except_layers: ["*.embed", 17]
          roles: [weight, recurrent]
      """
    )
    let rules = file.rules
    #expect(rules.rules.count == 5)
    #expect(rules[RuleID("dead_relu")].thresholds == ["warning_share": 0.9])
    #expect(rules[RuleID("gradient_spike")].isEnabled == false)
    #expect(rules[RuleID("loss_spike")].isEnabled == true)
    let clipping = rules[RuleID("clipping_every_step")]
    #expect(clipping.severities == [.info: nil, .warning: .critical])
    #expect(clipping.thresholds == ["warning_share": 0.99])
    #expect(clipping.isEnabled == nil)
    let vanishing = rules[RuleID("vanishing_gradient")]
    #expect(vanishing.isEnabled == true)
    #expect(vanishing.layers == ["encoder.*"])
    #expect(vanishing.exceptLayers == ["*.embed", "17"])
    #expect(vanishing.roles == [.weight, .recurrent])
    #expect(file.expectations.isEmpty)
  }

  @Test("says what is expected of a run")
  func expectations() throws {
    let file = try parse(
      """
      rules: {}
      expect:
        gradient_spike: never
        dead_relu: fires
        exploding_gradient: {from: 60, to: 65, severity: critical}
      """
    )
    #expect(file.rules.isEmpty)
    #expect(
      file.expectations == [
        RuleExpectation(RuleID("dead_relu"), .fires(severity: .info, steps: 0...Step.maximum)),
        RuleExpectation(
          RuleID("exploding_gradient"),
          .fires(severity: .critical, steps: 60...65)
        ),
        RuleExpectation(RuleID("gradient_spike"), .never),
      ]
    )
  }

  @Test(
    "names line, column, place, expected and found of what is wrong",
    arguments: [
      ("", "1:1: expected a mapping with rules, expect, found an empty file"),
      ("[1]", "1:1: expected a mapping with rules, expect, found a list"),
      ("rule: {}", "1:1: expected rules or expect, found \"rule\""),
      ("rules:", "1:7: rules: expected a mapping of rules, found nothing"),
      (
        "rules:\n  ded_relu: off",
        "2:3: rules: expected a rule, perhaps dead_relu, found \"ded_relu\""
      ),
      (
        "rules:\n  dead_relu: false",
        "2:14: rules.dead_relu: expected on, off, or a mapping of settings, found \"false\""
      ),
      (
        "rules:\n  dead_relu: {}",
        "2:14: rules.dead_relu: expected at least one setting, found an empty mapping"
      ),
      (
        "rules:\n  dead_relu: {warning_share: .nan}",
        "2:30: rules.dead_relu.warning_share: expected a number from 0 to 1, found \".nan\""
      ),
      (
        "rules:\n  dead_relu: {warning_share: \"0.9\"}",
        "2:30: rules.dead_relu.warning_share: expected a number from 0 to 1, "
          + "found the text \"0.9\""
      ),
      (
        "rules:\n  dead_relu: {warning_share: 1.5}",
        "2:30: rules.dead_relu.warning_share: expected a number from 0 to 1, found \"1.5\""
      ),
      (
        "rules:\n  dead_relu: {warning_share: 0x1}",
        "2:30: rules.dead_relu.warning_share: expected a number from 0 to 1, found \"0x1\""
      ),
      (
        "rules:\n  dead_relu: {warning_share: 1e999}",
        "2:30: rules.dead_relu.warning_share: expected a number from 0 to 1, found \"1e999\""
      ),
      (
        "rules:\n  dead_relu:\n    severities: {warn: off}",
        "3:18: rules.dead_relu.severities: expected info, warning or critical, found \"warn\""
      ),
      (
        "rules:\n  dead_relu:\n    severities: {info: none}",
        "3:24: rules.dead_relu.severities.info: expected info, warning or critical, or off, "
          + "found \"none\""
      ),
      (
        "rules:\n  dead_relu: {layers: enc}",
        "2:23: rules.dead_relu.layers: expected a list of layer names, found \"enc\""
      ),
      (
        "rules:\n  dead_relu: {layers: []}",
        "2:23: rules.dead_relu.layers: expected 1 to 256 elements, found 0"
      ),
      (
        "rules:\n  dead_relu: {layers: [\"a\\u0007\"]}",
        "2:24: rules.dead_relu.layers: expected no control character, found U+7"
      ),
      (
        "rules:\n  dead_relu: {roles: [weights]}",
        "2:23: rules.dead_relu.roles: expected one of unspecified, weight, bias, norm, "
          + "embedding, recurrent, head, found \"weights\""
      ),
      (
        "rules:\n  dead_relu: off\n  dead_relu: on",
        "2:3: expected YAML, found \"dead_relu\" more than once in one mapping"
      ),
      (
        "rules:\n  dead_relu: off\n  !x dead_relu: on",
        "3:3: rules: expected each name once, found \"dead_relu\" again"
      ),
      (
        "rules:\n  [a]: off",
        "2:3: rules: expected a name, found a list"
      ),
      ("rules:\n  dead_relu: &a off\n  loss_spike: *a", "2:14: expected no anchor, found &"),
      (
        "rules: {}\nexpect: {dead_relu: {from: 9, to: 3}}",
        "2:21: expect.dead_relu: expected from not after to, found 9 and 3"
      ),
      (
        "rules: {}\nexpect: {dead_relu: {from: -1}}",
        "2:28: expect.dead_relu.from: expected a step from 0, found \"-1\""
      ),
    ]
  )
  func problem(text: String, expected: String) throws {
    let error = #expect(throws: RuleFileError.self) { _ = try parse(text) }
    #expect(error?.description == "rules.yaml:\(expected)")
  }

  @Test("lists all problems of a file, the first one first")
  func allProblems() throws {
    let error = #expect(throws: RuleFileError.self) {
      _ = try parse(
        """
        rules:
          dead_relu: {share: 1}
          loss_spke: on
          gradient_spike: {layers: ["*"], roles: [none]}
        """
      )
    }
    #expect(error?.problems.map(\.line) == [2, 3, 4])
    #expect(error?.problems.first?.expected.contains("warning_share") == true)
  }

  @Test("is told from YAML that has no end, no such form, or several documents")
  func notYAML() throws {
    for text in ["rules: {", "rules: [\u{1}]", "a: b: c", "rules: {}\n---\nrules: {}", "\t- x"] {
      let error = #expect(throws: RuleFileError.self) { _ = try parse(text) }
      #expect(error?.problems.first?.expected == "YAML", "\(text)")
    }
    #expect(throws: RuleFileError.self) {
      _ = try RuleFile(parsing: [0xff, 0xfe], name: "x")
    }
    #expect(throws: RuleFileError.self) {
      _ = try RuleFile(parsing: Array(repeating: 0x20, count: RuleFile.maximumBytes + 1), name: "x")
    }
    // Nested as deeply as the size allows: refused, not a crash.
    #expect(throws: RuleFileError.self) {
      _ = try parse(String(repeating: "[", count: RuleFile.maximumBytes))
    }
    #expect(throws: RuleFileError.self) {
      _ = try parse(String(repeating: "- ", count: RuleFile.maximumBytes / 2))
    }
  }
}
