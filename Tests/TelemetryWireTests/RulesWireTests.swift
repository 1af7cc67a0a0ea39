import SwiftProtobuf
import Telemetry
import TelemetryTesting
import TelemetryWire
import Testing

@Suite("Rule sets on the wire")
struct RulesWireTests {
  @Test("come back as they were sent", arguments: 1...40)
  func roundTrip(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var rules: [RuleSettings] = []
    for index in 0..<Int.random(in: 0...5, using: &random) {
      var settings = RuleSettings(RuleID("rule_\(index)"))
      settings.isEnabled = [nil, true, false].randomElement(using: &random) ?? nil
      if Bool.random(using: &random) { settings.thresholds = ["a": 0.1, "b": -1e300] }
      for severity in Severity.allCases where Bool.random(using: &random) {
        settings.severities[severity] = .some(
          ([nil] + Severity.allCases).randomElement(using: &random) ?? nil
        )
      }
      if Bool.random(using: &random) { settings.layers = ["encoder.*", "ü?"] }
      if Bool.random(using: &random) { settings.exceptLayers = ["*.embed"] }
      settings.roles = Set(TensorRole.allCases.filter { _ in Bool.random(using: &random) })
      rules.append(settings)
    }
    let bytes: [UInt8] = try Gradwatch_V1_RuleSet(RuleSet(rules)).serializedBytes()
    let read = try RuleSet(wire: Gradwatch_V1_RuleSet(serializedBytes: bytes))
    #expect(read == RuleSet(rules))
  }

  @Test("are refused by the place that is wrong")
  func refused() throws {
    let cases: [(String, (inout Gradwatch_V1_RuleSettings) -> Void)] = [
      ("rules.rules[0].rule", { $0.rule = "" }),
      ("rules.rules[0].severities.from", { $0.severities = [.with { $0.to = .info }] }),
      (
        "rules.rules[0].severities.to",
        { $0.severities = [.with { ($0.from, $0.to) = (.info, .UNRECOGNIZED(9)) }] }
      ),
      (
        "rules.rules[0].severities.from",
        { $0.severities = [.with { $0.from = .info }, .with { $0.from = .info }] }
      ),
      ("rules.rules[0].layers", { $0.layers = [""] }),
      ("rules.rules[0].layers", { $0.layers = Array(repeating: "*", count: 257) }),
      ("rules.rules[0].except_layers", { $0.exceptLayers = ["\u{1b}"] }),
      ("rules.rules[0].roles", { $0.roles = [.UNRECOGNIZED(99)] }),
    ]
    for (field, change) in cases {
      let wire = Gradwatch_V1_RuleSet.with {
        $0.rules = [.with { $0.rule = "a" }]
        change(&$0.rules[0])
      }
      let error = #expect(throws: TelemetryError.self) { _ = try RuleSet(wire: wire) }
      #expect(error?.field == field)
    }
  }
}
