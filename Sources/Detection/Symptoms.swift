import Telemetry

/// The rules that have a warning or worse firing, for rules that judge by what else is wrong.
struct Symptoms: Sendable {
  private var rules: [RuleID] = []

  /// Adds a rule.
  mutating func insert(_ rule: RuleID) { rules.append(rule) }

  /// Whether one of `rules` fires.
  func containsAny(of rules: [RuleID]) -> Bool { self.rules.contains { rules.contains($0) } }
}
