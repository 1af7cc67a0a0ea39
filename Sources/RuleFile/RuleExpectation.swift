public import Telemetry

/// What a file expects of one rule on a recorded run.
public struct RuleExpectation: Hashable, Sendable {
  /// What is expected.
  public enum Outcome: Hashable, Sendable {
    /// No alert of the rule fires.
    case never
    /// An alert of at least `severity` begins to fire at one of `steps`.
    case fires(severity: Severity, steps: ClosedRange<UInt64>)
  }

  /// The rule.
  public var rule: RuleID
  /// What is expected of it.
  public var outcome: Outcome

  /// Makes an expectation.
  public init(_ rule: RuleID, _ outcome: Outcome) {
    self.rule = rule
    self.outcome = outcome
  }

  /// Looks whether alerts are as expected.
  ///
  /// - Parameter alerts: What fired, of any rule: severity, and the step at which it began to fire.
  /// - Returns: `nil` if they are; else what was expected and found, as one fragment.
  public func mismatch(
    among alerts: [(rule: RuleID, severity: Severity, firedStep: UInt64)]
  ) -> String? {
    let own = alerts.filter { $0.rule == rule }.sorted { $0.firedStep < $1.firedStep }
    let found =
      own.isEmpty
      ? "none"
      : own.prefix(3).map { "\($0.severity) at step \($0.firedStep)" }.joined(separator: ", ")
        + (own.count > 3 ? " and \(own.count - 3) more" : "")
    switch outcome {
    case .never:
      return own.isEmpty ? nil : "\(rule): expected no alert, found \(found)"
    case .fires(let severity, let steps):
      if own.contains(where: { $0.severity >= severity && steps.contains($0.firedStep) }) {
        return nil
      }
      var expected = "\(rule): expected an alert of severity \(severity) or higher"
      if steps != 0...Step.maximum {
        let last = steps.upperBound == Step.maximum ? "the end" : "\(steps.upperBound)"
        expected += " from step \(steps.lowerBound) to \(last)"
      }
      return "\(expected), found \(found)"
    }
  }
}
