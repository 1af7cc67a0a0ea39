import Telemetry

/// Most units of a ReLU layer are zero for every sample of the batch: R7.
///
/// The share of zero *activations* says nothing: healthy layers have 0.3 to 0.8, sparse ones more.
/// A unit counts that is zero for the whole batch. Up to half of those are no fault either: in a
/// deep plain net all samples point the same way (a 50-layer He net: 0.52, and it learns), so each
/// unit is on or off for all of them; three deviations above 0.5 for 32 units are 0.75. SageMaker
/// Debugger's and TheDeepChecker's 0.5 alarms there.
struct DeadReLU: Rule {
  static let id = RuleID("dead_relu")
  static let summary = "Most units of a ReLU layer are zero for every sample"
  static let policy = AlertPolicy(.init(hits: 8, window: 10), cleanEvaluations: 20)

  private static let warning = Threshold(
    "warning_share",
    0.75,
    in: 0...1,
    "share of units that no sample of the batch activates; 0.5 is usual in deep plain nets"
  )
  private static let critical = Threshold(
    "critical_share",
    0.9,
    in: 0...1,
    "share of such units at which a layer passes next to nothing on"
  )
  static let thresholds = [warning, critical]
  /// In smaller batches a unit is zero for all samples by chance.
  private static let leastBatch: UInt64 = 8

  private let tuning: Tuning
  private var shares: LayerShares

  init(_ anatomy: Anatomy, _ tuning: Tuning) {
    self.tuning = tuning
    shares = LayerShares(layerCount: anatomy.model.layers.count)
  }

  mutating func arm() { shares.arm() }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    // A lost model's units are zero because NaN compares as nothing.
    guard step.nonFiniteTensors.isEmpty, (step.report.scalars.batchSize ?? .max) >= Self.leastBatch
    else { return nil }
    let activations = step.report.activations
    guard shares.take(activations.deadUnitFraction, of: activations, where: tuning.watches(layer:))
    else { return nil }
    let (warning, critical) = (tuning[Self.warning], tuning[Self.critical])
    return shares.findings(warning: warning, critical: critical, step.anatomy)
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let layers = shares.layers(near: tuning[Self.warning]).filter(finding.scope.contains)
    let share = shares.largest(in: finding.scope)
    let names = step.anatomy.names(ofLayers: layers)
    let isFromStart = first <= 10
    return Diagnosis(
      summary: "\(text(100 * share)) % of the units of \(names.first ?? "a layer")"
        + (names.count > 1 ? " and \(names.count - 1) more" : "")
        + " are zero for every sample, since step \(first)",
      cause: isFromStart
        ? "the units were below zero from the start: negative biases, or a bad initialization"
        : "a large update pushed the units below zero for all inputs, where their gradient is 0",
      confidence: (0.5 + 0.5 * share).clamped(to: 0.5...0.95),
      evidence: Evidence(
        quantity: "share of units that are zero for every sample of the batch",
        observed: share,
        threshold: tuning[finding.met == .critical ? Self.critical : Self.warning],
        firstStep: step.number,
        lastStep: step.number,
        layers: names
      ),
      remedies: Setting(step).deadRemedies(fromStart: isFromStart)
    )
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try shares.code(&coder)
  }
}
