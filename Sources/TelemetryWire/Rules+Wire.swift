import SwiftProtobuf
public import Telemetry

extension RuleSet {
  /// Takes a rule set from the wire and checks its form; which rules and thresholds there are is Detection's.
  ///
  /// - Throws: ``TelemetryError`` naming the setting, if a rule or a severity is there twice, a glob is no
  ///   proper name, a list is too long, or an enum is unknown.
  public init(wire: Gradwatch_V1_RuleSet) throws(TelemetryError) {
    var settings: [RuleSettings] = []
    var seen: Set<RuleID> = []
    for (index, rule) in wire.rules.enumerated() {
      let next = try RuleSettings(wire: rule, field: "rules.rules[\(index)]")
      guard seen.insert(next.rule).inserted else {
        throw .outOfRange(
          field: "rules.rules[\(index)].rule",
          expected: "each rule once",
          found: "\(next.rule) again"
        )
      }
      settings.append(next)
    }
    self.init(settings)
  }
}

extension RuleSettings {
  fileprivate init(wire: Gradwatch_V1_RuleSettings, field: String) throws(TelemetryError) {
    try Name.check(wire.rule, field: "\(field).rule")
    self.init(RuleID(wire.rule))
    if wire.hasEnabled { isEnabled = wire.enabled }
    thresholds = wire.thresholds
    for change in wire.severities {
      guard let from = Severity(wire: change.from) else {
        throw .outOfRange(
          field: "\(field).severities.from",
          expected: "info, warning or critical",
          found: "\(change.from.rawValue)"
        )
      }
      let to = Severity(wire: change.to)
      guard to != nil || change.to == .unspecified else {
        throw .outOfRange(
          field: "\(field).severities.to",
          expected: "info, warning, critical or unspecified",
          found: "\(change.to.rawValue)"
        )
      }
      guard severities.updateValue(to, forKey: from) == nil else {
        throw .outOfRange(
          field: "\(field).severities.from",
          expected: "each severity once",
          found: "\(from) again"
        )
      }
    }
    layers = try Self.globs(wire.layers, field: "\(field).layers")
    exceptLayers = try Self.globs(wire.exceptLayers, field: "\(field).except_layers")
    for role in wire.roles {
      guard let known = TensorRole(wire: role) else {
        throw .outOfRange(
          field: "\(field).roles",
          expected: "a known role",
          found: "\(role.rawValue)"
        )
      }
      roles.insert(known)
    }
  }

  private static func globs(
    _ globs: [String],
    field: String
  ) throws(TelemetryError) -> [String] {
    guard globs.count <= maximumGlobs else {
      throw .outOfRange(
        field: field,
        expected: "at most \(maximumGlobs) globs",
        found: "\(globs.count)"
      )
    }
    for glob in globs { try Name.check(glob, field: field) }
    return globs
  }
}

extension Gradwatch_V1_RuleSet {
  /// Makes the wire form of a rule set.
  public init(_ rules: RuleSet) {
    self.init()
    self.rules = rules.rules.map(Gradwatch_V1_RuleSettings.init)
  }
}

extension Gradwatch_V1_RuleSettings {
  /// Makes the wire form of one rule's settings.
  public init(_ settings: RuleSettings) {
    self.init()
    rule = settings.rule.rawValue
    if let isEnabled = settings.isEnabled { enabled = isEnabled }
    thresholds = settings.thresholds
    severities = settings.severities.sorted { $0.key < $1.key }.map { from, to in
      .with {
        $0.from = Gradwatch_V1_Severity(from)
        if let to { $0.to = Gradwatch_V1_Severity(to) }
      }
    }
    layers = settings.layers
    exceptLayers = settings.exceptLayers
    roles = TensorRole.allCases.filter(settings.roles.contains).map(Gradwatch_V1_TensorRole.init)
  }
}
