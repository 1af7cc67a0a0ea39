public import Telemetry

/// A rule set as it was set last, or what is in force of several.
public struct StoredRules: Sendable, Equatable {
  /// The set; an empty one was set to take an earlier one back.
  public var rules: RuleSet
  /// Ascends with every set that is stored, of any project or run; 0: none ever was.
  public var revision: Int64

  /// Makes a stored set.
  public init(rules: RuleSet, revision: Int64) {
    self.rules = rules
    self.revision = revision
  }
}
