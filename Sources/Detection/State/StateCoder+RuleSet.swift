import Telemetry

extension StateCoder {
  /// A rule set, sorted, so that equal sets give equal bytes.
  mutating func code(_ rules: inout RuleSet) throws(SnapshotError) {
    var settings = rules.rules
    try code(&settings, maximum: 1024, placeholder: RuleSettings(RuleID(""))) {
      (coder, settings) throws(SnapshotError) in try coder.code(&settings)
    }
    rules = RuleSet(settings)
  }

  private mutating func code(_ settings: inout RuleSettings) throws(SnapshotError) {
    var rule = settings.rule.rawValue
    try code(&rule)
    settings.rule = RuleID(rule)
    try code(&settings.isEnabled, placeholder: true) { (coder, value) throws(SnapshotError) in
      try coder.code(&value)
    }
    var thresholds = settings.thresholds.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    try code(&thresholds, maximum: 1024, placeholder: ("", 0)) {
      (coder, threshold) throws(SnapshotError) in
      try coder.code(&threshold.0)
      try coder.code(&threshold.1)
    }
    settings.thresholds = Dictionary(thresholds) { first, _ in first }
    var severities: [(Severity, Severity?)] =
      settings.severities.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    try code(&severities, maximum: 3, placeholder: (.info, nil)) {
      (coder, change) throws(SnapshotError) in
      try coder.code(&change.0)
      try coder.code(&change.1, placeholder: .info) { (coder, value) throws(SnapshotError) in
        try coder.code(&value)
      }
    }
    settings.severities = Dictionary(severities) { first, _ in first }
    try code(names: &settings.layers, maximum: 1024)
    try code(names: &settings.exceptLayers, maximum: 1024)
    var roles = settings.roles.sorted { $0.rawValue < $1.rawValue }
    try code(&roles, maximum: 64, placeholder: .unspecified) {
      (coder, role) throws(SnapshotError) in try coder.code(&role)
    }
    settings.roles = Set(roles)
  }

  /// Names, at most `maximum`.
  mutating func code(names: inout [String], maximum: Int) throws(SnapshotError) {
    try code(&names, maximum: maximum, placeholder: "") { (coder, name) throws(SnapshotError) in
      try coder.code(&name)
    }
  }
}
