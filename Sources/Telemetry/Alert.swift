/// One episode of a condition that a rule found.
public struct Alert: Hashable, Sendable, Identifiable {
  /// Derived from the members below, so that a replay finds the same alert.
  public var id: AlertID
  /// The run.
  public var run: RunID
  /// The producer whose reports showed it.
  public var producer: ProducerID
  /// The rule.
  public var rule: RuleID
  /// How much it asks of a person; within an episode it only rises.
  public var severity: Severity
  /// Where it is in its life.
  public var state = AlertState.pending
  /// What part of the model it speaks of.
  public var scope: AlertScope
  /// What is the case, where and since when, in one sentence.
  public var summary: String
  /// Why this is thought to be the case.
  public var cause: String
  /// How sure the rule is, from 0 to 1.
  public var confidence: Double
  /// What the rule saw.
  public var evidence: Evidence
  /// What to try, the first thing first.
  public var remedies: [Remedy]
  /// The first step at which the condition was seen.
  public var firstStep: UInt64
  /// The step at which it began to fire; `nil` while it is pending.
  public var firedStep: UInt64?
  /// The step at which it was resolved; `nil` while it is open.
  public var resolvedStep: UInt64?
  /// When the condition was first seen, by the collector's clock.
  public var startedAt: WallTime
  /// When it began to fire; `nil` while it is pending.
  public var firedAt: WallTime?
  /// When a person acknowledged it; `nil` if nobody did.
  public var acknowledgedAt: WallTime?
  /// Who acknowledged it; empty if nobody did.
  public var acknowledgedBy = ""
  /// When it was resolved; `nil` while it is open.
  public var resolvedAt: WallTime?
  /// How often it came back after it had been resolved.
  public var reopenedCount: UInt32 = 0

  /// Makes an alert that is pending since `firstStep`.
  public init(
    run: RunID,
    producer: ProducerID,
    rule: RuleID,
    severity: Severity,
    scope: AlertScope,
    summary: String,
    cause: String,
    confidence: Double,
    evidence: Evidence,
    remedies: [Remedy],
    firstStep: UInt64,
    startedAt: WallTime
  ) {
    self.id = AlertID(
      run: run,
      producer: producer,
      rule: rule,
      scope: scope,
      firstStep: firstStep
    )
    self.run = run
    self.producer = producer
    self.rule = rule
    self.severity = severity
    self.scope = scope
    self.summary = summary
    self.cause = cause
    self.confidence = confidence
    self.evidence = evidence
    self.remedies = remedies
    self.firstStep = firstStep
    self.startedAt = startedAt
  }
}
