import Telemetry

/// One detector: what it measures, where its bounds are, and what it says of what it found.
///
/// A rule is a value that sees every report of one producer in order. It answers what it sees
/// *now*; debounce, hysteresis and the life of alerts are ``AlertMachine``'s, by the rule's
/// ``policy``. Adding one touches its file, its test, and ``Detector/standardRules``.
protocol Rule: Sendable {
  /// The identifier.
  static var id: RuleID { get }
  /// One sentence for listings: when it fires.
  static var summary: String { get }
  /// How long the condition must hold, and how long it must be gone.
  static var policy: AlertPolicy { get }
  /// The numbers that a user may change.
  static var thresholds: [Threshold] { get }

  /// Starts without any history, with the user's thresholds.
  init(_ anatomy: Anatomy, _ tuning: Tuning)

  /// Looks at the next step.
  ///
  /// - Returns: The places where the condition holds or held (none: all is clear), or `nil` if this
  ///   step can't tell: the columns are missing, the optimizer skipped it, and so on.
  mutating func observe(_ step: StepContext) -> [Finding]?

  /// What to say of a finding of the step that was just observed, and first seen at `first`.
  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis

  /// Forgets baselines: what comes is not to be held against what was.
  mutating func arm()

  /// Looks at the clock; only rules that watch for silence do. The answer is as that of `observe`.
  mutating func tick(at now: WallTime, after step: StepContext) -> [Finding]?

  /// The run ended. The answer is as that of `observe`.
  mutating func finish() -> [Finding]?

  /// Visits the stored state.
  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError)
}

extension Rule {
  static var thresholds: [Threshold] { [] }
  mutating func arm() {}
  mutating func tick(at now: WallTime, after step: StepContext) -> [Finding]? { nil }
  mutating func finish() -> [Finding]? { nil }
}

/// A place where a rule's condition holds, or still holds by half.
struct Finding: Sendable {
  /// Where.
  var scope: AlertScope
  /// The severity whose bound is passed at this step; `nil` if only ``held`` speaks.
  var met: Severity?
  /// The highest severity whose lower, clearing bound is still passed; an alert up to it stays
  /// open.
  var held: Severity
  /// Whether the rule waited long enough by itself, so that no debounce is needed.
  var isCertain = false
  /// In how many of the last reports the condition held, this one included.
  var reports: UInt64 = 1
}

/// What a rule says of a finding.
struct Diagnosis: Sendable {
  /// What is the case, where and since when, in one sentence.
  var summary: String
  /// Why this is thought to be the case.
  var cause: String
  /// How sure the rule is, from 0 to 1.
  var confidence: Double
  /// What it saw; the machine fills in the steps.
  var evidence: Evidence
  /// What to try, the first thing first.
  var remedies: [Remedy]
}
