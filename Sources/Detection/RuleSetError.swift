public import Telemetry

/// Why a rule set is not taken; nothing of it is then.
public enum RuleSetError: Error, Hashable, Sendable {
  /// No rule has this identifier.
  case unknownRule(RuleID)
  /// The rule has no threshold of this name.
  case unknownThreshold(RuleID, name: String, expected: [String])
  /// The value is NaN, infinite, or outside of what makes sense.
  case outOfRange(RuleID, threshold: String, expected: ClosedRange<Double>, found: Double)
}

extension RuleSetError: CustomStringConvertible {
  /// The place, the expected and the found, as one fragment.
  public var description: String {
    switch self {
    case .unknownRule(let rule):
      "\(rule.rawValue): expected the identifier of a rule, as `rules list` shows them"
    case .unknownThreshold(let rule, let name, let expected):
      "\(rule.rawValue).thresholds.\(name): expected "
        + (expected.isEmpty ? "no threshold; this rule has none" : expected.joined(separator: ", "))
    case .outOfRange(let rule, let threshold, let expected, let found):
      "\(rule.rawValue).thresholds.\(threshold): expected \(text(expected.lowerBound)) to "
        + "\(text(expected.upperBound)), found \(text(found))"
    }
  }
}
