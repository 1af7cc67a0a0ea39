import Telemetry

/// Most outputs of a sigmoid or tanh layer lie at its bounds, where the slope is near 0: R8.
///
/// The last activation of the model is left out (a good classifier's outputs are 0 or 1), and so
/// are gates, which are meant to be open or shut. A net that has learned may saturate as well.
struct SaturatedActivation: Rule {
  static let id = RuleID("saturated_activation")
  static let summary = "Most outputs of a sigmoid or tanh layer lie at its bounds"
  static let policy = AlertPolicy(.init(hits: 8, window: 10), cleanEvaluations: 20)

  private static let warning = Threshold(
    "warning_share",
    0.5,
    in: 0...1,
    "share of outputs within 1 % of a bound; healthy hidden layers stay below 0.1, SageMaker "
      + "Debugger and DeepDiagnosis use 0.5"
  )
  private static let critical = Threshold(
    "critical_share",
    0.9,
    in: 0...1,
    "share at which the layer passes a tenth of the gradient"
  )
  static let thresholds = [warning, critical]
  /// Smoothed loss / first losses below which the net has learned in spite of it.
  private static let learnedProgress = 0.1

  private let tuning: Tuning
  /// The layers that count.
  private let isHidden: [Bool]
  private var shares: LayerShares

  init(_ anatomy: Anatomy, _ tuning: Tuning) {
    self.tuning = tuning
    let layers = anatomy.model.layers
    let lastWeight = Int(anatomy.weightLayers.last ?? 0)
    isHidden = layers.indices.map { index in
      index < lastWeight && !layers[index].activation.lowercased().contains("gate")
        && !layers[index].name.lowercased().contains("gate")
    }
    shares = LayerShares(layerCount: layers.count)
  }

  mutating func arm() { shares.arm() }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    guard step.nonFiniteTensors.isEmpty else { return nil }
    let activations = step.report.activations
    let isMeasured = shares.take(activations.saturatedFraction, of: activations) { layer in
      isHidden[Int(layer)] && tuning.watches(layer: layer)
    }
    guard isMeasured else { return nil }
    let (warning, critical) = (tuning[Self.warning], tuning[Self.critical])
    var findings = shares.findings(warning: warning, critical: critical, step.anatomy)
    if let progress = step.history.loss.progress, progress < Self.learnedProgress {
      for place in findings.indices where findings[place].met != nil { findings[place].met = .info }
    }
    return findings
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let layers = shares.layers(near: tuning[Self.warning]).filter(finding.scope.contains)
    let share = shares.largest(in: finding.scope)
    let names = step.anatomy.names(ofLayers: layers)
    let setting = Setting(step)
    return Diagnosis(
      summary: "\(text(100 * share)) % of the outputs of \(names.first ?? "a layer")"
        + (names.count > 1 ? " and \(names.count - 1) more" : "")
        + " lie at the activation's bounds, since step \(first)",
      cause: setting.isInitializedLarge
        ? "the first weights were too large: sums of inputs lie far out from the start"
        : "inputs or targets are not scaled, or updates were too large: sums lie far out",
      confidence: (0.4 + 0.6 * share).clamped(to: 0.5...0.95),
      evidence: Evidence(
        quantity: "share of outputs within 1 % of a bound",
        observed: share,
        threshold: tuning[finding.met == .critical ? Self.critical : Self.warning],
        firstStep: step.number,
        lastStep: step.number,
        layers: names
      ),
      remedies: setting.saturatedRemedies
    )
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try shares.code(&coder)
  }
}
