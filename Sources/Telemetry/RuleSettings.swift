/// What a user changes about one rule; what is not set stays as it is.
public struct RuleSettings: Hashable, Sendable {
  /// The rule.
  public var rule: RuleID
  /// Whether it looks at all; `nil`: as below it, in the end yes.
  public var isEnabled: Bool?
  /// Thresholds by name, each in its own unit; those that are not named keep their value.
  public var thresholds: [String: Double] = [:]
  /// For a severity of the rule's own, the one to raise instead; a `nil` value raises nothing.
  public var severities: [Severity: Severity?] = [:]
  /// Globs of layer names: only findings at a layer that one of them matches count; empty: all.
  public var layers: [String] = []
  /// Globs of layer names at which nothing is found.
  public var exceptLayers: [String] = []
  /// Roles that rules which look tensor by tensor look at; empty: all that the rule is for.
  public var roles: Set<TensorRole> = []

  /// Changes nothing about `rule`.
  public init(_ rule: RuleID) {
    self.rule = rule
  }

  /// These settings with those of `other` above them: what `other` sets wins.
  public func overlaid(by other: RuleSettings) -> RuleSettings {
    var result = self
    if let isEnabled = other.isEnabled { result.isEnabled = isEnabled }
    result.thresholds.merge(other.thresholds) { $1 }
    result.severities.merge(other.severities) { $1 }
    if !other.layers.isEmpty { result.layers = other.layers }
    if !other.exceptLayers.isEmpty { result.exceptLayers = other.exceptLayers }
    if !other.roles.isEmpty { result.roles = other.roles }
    return result
  }
}
