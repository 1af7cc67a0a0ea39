import Telemetry

/// What a user set for one rule, ready for a detector.
struct Tuning: Sendable {
  /// Whether the rule looks at all.
  let isEnabled: Bool
  private let thresholds: [String: Double]
  private let severities: [Severity: Severity?]
  /// For each layer, whether findings there count; `nil` if they do everywhere.
  private let layers: [Bool]?
  /// For each tensor, its layer; empty if findings count everywhere.
  private let owners: [UInt32]
  /// For each tensor, whether rules that go tensor by tensor look at it; `nil`: at all.
  private let tensors: [Bool]?

  /// Works `settings` out for a model's layers and tensors.
  init(_ settings: RuleSettings, layers: [Layer], tensors: [Tensor]) {
    isEnabled = settings.isEnabled ?? true
    thresholds = settings.thresholds
    severities = settings.severities
    let wanted = settings.layers.map { Glob($0) }
    let unwanted = settings.exceptLayers.map { Glob($0) }
    guard !(wanted.isEmpty && unwanted.isEmpty) else {
      self.layers = nil
      owners = []
      let roles = settings.roles
      self.tensors = roles.isEmpty ? nil : tensors.map { roles.contains($0.role) }
      return
    }
    let isWatched = layers.map { layer in
      (wanted.isEmpty || wanted.contains { $0.matches(layer.name) })
        && !unwanted.contains { $0.matches(layer.name) }
    }
    self.layers = isWatched
    owners = tensors.map(\.layer)
    self.tensors = tensors.map { tensor in
      (settings.roles.isEmpty || settings.roles.contains(tensor.role))
        && isWatched[Int(tensor.layer)]
    }
  }

  /// The value of a threshold; the standard one in place of a value out of its range, as a damaged or later database may have it.
  subscript(threshold: Threshold) -> Double {
    guard let value = thresholds[threshold.name], threshold.range.contains(value) else {
      return threshold.standard
    }
    return value
  }

  /// Whether a rule that goes tensor by tensor looks at this one.
  func watches(tensor: Int) -> Bool { tensors?[tensor] ?? true }

  /// Whether a rule that goes layer by layer looks at this one.
  func watches(layer: UInt32) -> Bool { layers?[Int(layer)] ?? true }

  /// The finding with the user's severities; `nil` if the user wants none there.
  func apply(to finding: Finding) -> Finding? {
    guard isWanted(finding.scope) else { return nil }
    guard !severities.isEmpty else { return finding }
    var finding = finding
    finding.met = finding.met.flatMap(changed)
    // What is held may be of a severity that the user wants to hear nothing of, and what is met not.
    guard let held = changed(finding.held) ?? finding.met else { return nil }
    finding.held = held
    return finding
  }

  private func changed(_ severity: Severity) -> Severity? { severities[severity] ?? severity }

  /// Whether one layer of the scope is wanted; what concerns the whole run always is.
  private func isWanted(_ scope: AlertScope) -> Bool {
    guard let layers else { return true }
    return switch scope {
    case .run: true
    case .layers(let range):
      range.contains { Int($0) < layers.count && layers[Int($0)] }
    case .tensor(let tensor):
      Int(tensor) < owners.count && layers[Int(owners[Int(tensor)])]
    }
  }
}
