import Detection
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryWire

/// Lists rules and sets what users change about them.
struct RulesAnswer {
  let collector: Collector

  /// Answers ListRules.
  func list(
    _ request: Gradwatch_V1_ListRulesRequest
  ) async throws -> Gradwatch_V1_ListRulesResponse {
    let target: RuleTarget? =
      switch request.target {
      case .project(let project): try RuleTarget(project: project)
      case .runID(let run): .run(try RunID(run))
      case nil: nil
      }
    let (own, inForce) = try await collector.blocking.run { [store = collector.store] in
      guard let target else { return (RuleSet(), StoredRules(rules: RuleSet(), revision: 0)) }
      let own = try store.rules(of: target) ?? StoredRules(rules: RuleSet(), revision: 0)
      guard case .run(let run) = target else { return (own.rules, own) }
      return (own.rules, try store.rulesInForce(for: run))
    }
    return .with {
      $0.rules = Detector.catalogue.sorted { $0.id < $1.id }.map {
        Gradwatch_V1_Rule($0, inForce.rules[$0.id])
      }
      $0.set = Gradwatch_V1_RuleSet(own)
      $0.revision = inForce.revision
    }
  }

  /// Answers SetRules, once the set is durable and every producer in memory has taken it.
  func set(_ request: Gradwatch_V1_SetRulesRequest) async throws -> Gradwatch_V1_SetRulesResponse {
    let target: RuleTarget
    switch request.target {
    case .project(let project): target = try RuleTarget(project: project)
    case .runID(let run): target = .run(try RunID(run))
    case nil:
      throw TelemetryError.outOfRange(
        field: "target",
        expected: "a project or a run_id",
        found: "neither"
      )
    }
    let rules = try RuleSet(wire: request.rules)
    try Detector.check(rules)
    let store = collector.store
    let revision = try await collector.blocking.run { try store.setRules(rules, of: target) }
    try await collector.producers.rulesChanged(of: target)
    await collector.committer.flush()
    let effective = try await collector.blocking.run {
      guard case .run(let run) = target else { return rules }
      return try store.rulesInForce(for: run).rules
    }
    return .with {
      $0.effective = Gradwatch_V1_RuleSet(effective)
      $0.revision = revision
    }
  }
}

extension RuleTarget {
  /// Takes a project's name from the wire.
  fileprivate init(project: String) throws(TelemetryError) {
    try Name.check(project, field: "project")
    self = .project(project)
  }
}

extension Gradwatch_V1_Rule {
  /// Makes the wire form of a rule, and of what is in force of it.
  fileprivate init(_ rule: RuleDescription, _ settings: RuleSettings) {
    self.init()
    self.rule = rule.id.rawValue
    summary = rule.summary
    thresholds = rule.thresholds.map { threshold in
      .with {
        $0.name = threshold.name
        $0.standard = threshold.standard
        $0.minimum = threshold.range.lowerBound
        $0.maximum = threshold.range.upperBound
        $0.meaning = threshold.meaning
        $0.effective = settings.thresholds[threshold.name] ?? threshold.standard
      }
    }
    enabled = settings.isEnabled ?? true
    changed = Gradwatch_V1_RuleSettings(settings)
  }
}
