import Telemetry

/// Each step rewrites a large part of the weights: R15, upper side.
///
/// Healthy medians are 5e-5 to 3e-3, and below 0.05 after the first steps; at 0.1 nothing of a
/// weight is left after ten steps. A few huge steps do the same at once (Adam's and RMSprop's first
/// ones are full-sized), so the way that the median weight went over twelve reports counts too.
/// Weights that began at 0 have no size to compare with.
struct UpdateRatioTooHigh: Rule {
  static let id = RuleID("update_ratio_too_high")
  static let summary = "Updates are more than a tenth of the weights, step after step"
  static let policy = AlertPolicy(.init(hits: 10, window: 12), cleanEvaluations: 20)

  private static let warning = Threshold(
    "warning_ratio",
    0.1,
    in: 0...1e9,
    "norm of update / norm of weight; healthy runs stay below 0.05 (DeepDiagnosis and "
      + "TheDeepChecker: 0.1)"
  )
  private static let critical = Threshold(
    "critical_ratio",
    1,
    in: 0...1e9,
    "ratio at which a step leaves nothing of the weights"
  )
  private static let path = Threshold(
    "warning_path",
    4,
    in: 0...1e9,
    "sum of the median ratio over twelve reports; healthy runs reach 0.7, Adagrad's first steps 2"
  )
  static let thresholds = [warning, critical, path]
  private static let pathLength = 12
  /// Smoothed loss / first losses, below which a few huge steps have done no harm.
  private static let leastProgress = 0.9
  private static let slack = 0.5
  /// The first steps of Adam are full-sized whatever the gradient.
  private static let firstReports: UInt64 = 10
  /// A weight below this share of its recommended size began near 0 on purpose.
  private static let leastSize: Float = 0.03

  private let tuning: Tuning
  private var reports: UInt64 = 0
  /// The median ratios of the last reports.
  private var medians: [Float] = Array(repeating: 0, count: pathLength)
  private var ratios: [(layer: UInt32, ratio: Double)] = []

  init(_ anatomy: Anatomy, _ tuning: Tuning) { self.tuning = tuning }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    guard !step.isSkipped, !step.report.parameters.updateNorm.isEmpty else { return nil }
    reports &+= 1
    let (warning, critical) = (tuning[Self.warning], tuning[Self.critical])
    ratios.removeAll(keepingCapacity: true)
    var (above, held, far) = (0, 0, 0)
    for (position, tensor) in step.anatomy.weights.enumerated() where tuning.watches(tensor: tensor)
    {
      let update = step.updateNorms[tensor]
      let norm = step.parameterNorms[tensor]
      let initial = step.history.initialParameterNorms[tensor]
      // NaN is no large ratio, and infinite ones are.
      guard !update.isNaN, norm > 0, initial * step.anatomy.gains[position] >= Self.leastSize
      else { continue }
      let ratio = Double(update) / Double(norm)
      ratios.append((step.anatomy.model.tensors[tensor].layer, ratio))
      if ratio > Self.slack * warning { held += 1 }
      if ratio > warning { above += 1 }
      if ratio > critical { far += 1 }
    }
    guard !ratios.isEmpty else { return nil }
    medians[Int(reports % UInt64(Self.pathLength))] = Float(middle)
    let majority = (ratios.count + 1) / 2
    // A net that learns may have needed it.
    let hasGoneFar =
      Double(medians.reduce(0, +)) >= tuning[Self.path]
      && (step.history.loss.progress ?? 1) >= Self.leastProgress
    guard held >= majority || hasGoneFar else { return fewLayers(step) }
    let isFirst = reports <= Self.firstReports
    var met: Severity? =
      far >= majority ? .critical : above >= majority && !isFirst ? .warning : nil
    if hasGoneFar, met == nil { met = .warning }
    return [
      Finding(
        scope: .run,
        met: step.isWarmup && met == .warning ? .info : met,
        held: far >= majority ? .critical : .warning,
        isCertain: hasGoneFar
      )
    ]
  }

  /// A step of another rate is not part of the way that those of the old one went.
  mutating func arm() { medians = Array(repeating: 0, count: Self.pathLength) }

  /// The layers that move too far while most do not, as with a rate of their own.
  private func fewLayers(_ step: StepContext) -> [Finding] {
    guard reports > Self.firstReports, !step.isWarmup else { return [] }
    let bound = tuning[Self.warning]
    let affected = Set(ratios.filter { $0.ratio > Self.slack * bound }.map(\.layer)).sorted()
    guard !affected.isEmpty else { return [] }
    let measured = Set(ratios.map(\.layer)).sorted()
    return Grouping.scopes(of: affected, among: measured, step.anatomy).map { scope in
      let isAbove = ratios.contains { $0.ratio > bound && scope.contains(layer: $0.layer) }
      return Finding(scope: scope, met: isAbove ? .warning : nil, held: .warning)
    }
  }

  /// The median of ``ratios``.
  private var middle: Double {
    let sorted = ratios.map(\.ratio).sorted()
    return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let isRun = finding.scope == .run
    let here = ratios.filter { finding.scope.contains(layer: $0.layer) }
    let middle = isRun ? middle : here.map(\.ratio).max() ?? .nan
    let worst = here.filter { $0.ratio >= Self.slack * middle }.map(\.layer)
    return Diagnosis(
      summary: "updates are \(text(100 * middle)) % of the weights a step, "
        + (isRun ? "in the median layer" : "in a few layers") + ", since step \(first)",
      cause: isRun
        ? "the learning rate is too high for these gradients"
        : "these layers' learning rate is too high, or their weights are far smaller than others",
      confidence: (0.7 + 0.1 * decimalLog(max(1, middle / 0.1))).clamped(to: 0.7...0.95),
      evidence: Evidence(
        quantity: "norm of update / norm of weight, median over the weights",
        observed: middle,
        threshold: tuning[finding.met == .critical ? Self.critical : Self.warning],
        firstStep: step.number,
        lastStep: step.number,
        layers: step.anatomy.names(ofLayers: Set(worst).sorted()),
        facts: step.history.learningRate.map { ["learning_rate": text($0)] } ?? [:]
      ),
      remedies: Setting(step).largeUpdateRemedies(ratio: middle)
    )
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&reports)
    try coder.code(&medians)
  }
}
