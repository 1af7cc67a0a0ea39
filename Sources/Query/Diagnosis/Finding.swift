public import Telemetry

/// Alerts of one rule that tell of one fault, what it follows from, and what follows from it.
public struct Finding: Sendable, Hashable {
  /// The rule.
  public var rule: RuleID
  /// The highest severity of its alerts.
  public var severity: Severity
  /// Whether one of its alerts is open.
  public var isOpen: Bool
  /// What is the case, where and since when, in one sentence: that of the leading alert.
  public var summary: String
  /// Why the rule thinks so.
  public var reason: String
  /// How sure the rule is, from 0 to 1.
  public var confidence: Double
  /// The first step at which it was seen.
  public var firstStep: UInt64
  /// The first step at which it fired.
  public var firedStep: UInt64
  /// The step at which the last of its alerts was resolved; `nil` while one is open.
  public var resolvedStep: UInt64?
  /// The names of the affected layers in forward order; empty if it concerns the run as a whole.
  public var layers: [String]
  /// The producers that showed it, by identifier.
  public var producers: [ProducerID]
  /// The ranks of those that have one, ascending.
  public var ranks: [UInt32]
  /// Its alerts: the leading one (worst, then first) in front, the others by first step.
  public var alerts: [Alert]
  /// Why it is thought to follow from the finding above it; `nil` at a root.
  public var claim: CausalClaim?
  /// What follows from it, in the order in which it began.
  public var consequences: [Finding] = []

  /// This finding and all below it, itself first.
  public var all: [Finding] { [self] + consequences.flatMap(\.all) }

  /// The highest severity of what is open here and below; `nil` if nothing is.
  var openSeverity: Severity? {
    all.lazy.filter(\.isOpen).map(\.severity).max()
  }

  /// The highest severity here and below.
  var worstSeverity: Severity { all.lazy.map(\.severity).max() ?? severity }
}

extension Finding {
  /// Makes a finding of a group of alerts, without cause or consequences.
  init(_ group: AlertGroup, _ names: RunNames) {
    let lead = group.lead
    rule = group.rule
    severity = lead.severity
    isOpen = group.isOpen
    summary = lead.summary
    reason = lead.cause
    confidence = lead.confidence
    firstStep = group.firstStep
    firedStep = group.alerts.compactMap(\.firedStep).min() ?? group.firstStep
    resolvedStep = group.isOpen ? nil : group.alerts.compactMap(\.resolvedStep).max()
    layers = group.layerNames(in: names.model, places: names.layerPlaces)
    producers = group.producers.sorted()
    ranks = producers.compactMap { names.ranks[$0] }.sorted()
    let others = group.alerts.filter { $0.id != lead.id }
    alerts = [lead] + others.sorted(by: AlertGroup.precedes)
  }
}
