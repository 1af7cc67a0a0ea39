public import Telemetry

/// What a listing says of a rule.
public struct RuleDescription: Hashable, Sendable {
  /// The identifier.
  public let id: RuleID
  /// One sentence: when it fires.
  public let summary: String
  /// The numbers that a user may change.
  public let thresholds: [Threshold]
}
