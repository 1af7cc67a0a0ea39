/// What a user changes about the rules, for a project or a run; empty: every rule as it comes.
public struct RuleSet: Hashable, Sendable {
  /// The changed rules, sorted by rule, each once.
  public private(set) var rules: [RuleSettings]

  /// Takes settings in any order; of two for one rule, the later one lies above the earlier one.
  public init(_ rules: [RuleSettings] = []) {
    self.rules = []
    for settings in rules { add(settings) }
  }

  /// Whether nothing is changed.
  public var isEmpty: Bool { rules.isEmpty }

  /// The settings of one rule; those that change nothing if there are none.
  public subscript(rule: RuleID) -> RuleSettings {
    rules.first { $0.rule == rule } ?? RuleSettings(rule)
  }

  /// This set with `other` above it, rule by rule, as a run's set lies above its project's.
  public func overlaid(by other: RuleSet) -> RuleSet { RuleSet(rules + other.rules) }

  private mutating func add(_ settings: RuleSettings) {
    if let index = rules.firstIndex(where: { $0.rule == settings.rule }) {
      rules[index] = rules[index].overlaid(by: settings)
    } else {
      rules.append(settings)
      rules.sort { $0.rule < $1.rule }
    }
  }
}
