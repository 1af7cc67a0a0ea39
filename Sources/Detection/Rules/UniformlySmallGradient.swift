import Telemetry

/// All gradients are tiny beside their weights, in every layer, while nothing is learned: R2.
///
/// Small gradients are good once the loss is low, so the loss must still be above half of its
/// start; and harmless if the optimizer normalizes them (Adam), so updates must be small too where
/// they are measured. If only the first layers are small it is ``VanishingGradient``'s.
struct UniformlySmallGradient: Rule {
  static let id = RuleID("uniformly_small_gradient")
  static let summary = "All gradients are below 1e-7 of their weights while the loss is high"
  /// 20 of 25 for a warning; exact zeros and 1e-10 are no matter of noise, and need 5.
  static let policy = AlertPolicy(
    info: .init(hits: 20, window: 25),
    warning: .init(hits: 20, window: 25),
    critical: .init(hits: 5, window: 5),
    cleanEvaluations: 20
  )

  private static let smallRatio = Threshold(
    "warning_ratio",
    1e-7,
    in: 0...1,
    "norm of gradient / norm of weight; healthy runs have 1e-5 and more before they converge, and "
      + "float32 rounds an update of 1e-7 away"
  )
  private static let lostRatio = Threshold(
    "critical_ratio",
    1e-10,
    in: 0...1,
    "ratio at which no optimizer brings the gradient back"
  )
  private static let leastProgress = Threshold(
    "least_progress",
    0.5,
    in: 0...1,
    "smoothed loss / first losses above which nothing was learned yet"
  )
  static let thresholds = [smallRatio, lostRatio, leastProgress]
  /// Without parameter norms: the root mean square, for weights of about 0.1.
  private static let usualWeight: Float = 0.1
  /// Without a loss nobody knows whether the run has converged, so the bound is a hundredth.
  private static let unknownLossFactor: Float = 0.01
  /// Nearly all layers, and none above ten times the bound: a profile with healthy last layers is
  /// not uniform.
  private static let share = 0.9
  private static let mostOverBound: Float = 10
  /// An update of 1e-5 of its weight moves training, whatever the gradient's size.
  private static let effectiveUpdate: Float = 1e-5
  /// Clears at three times the bound.
  private static let clearFactor: Float = 3

  private let tuning: Tuning
  private var largest: Float = 0
  private var areZero = false

  init(_ anatomy: Anatomy, _ tuning: Tuning) { self.tuning = tuning }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    guard !step.isSkipped, step.isScaleKnown, step.nonFiniteTensors.isEmpty,
      !step.anatomy.weights.isEmpty
    else { return nil }
    guard let counts = count(step) else { return nil }
    areZero = Double(counts.zero) >= Self.share * Double(counts.present)
    let isUseful = Double(counts.effective) > 0.5 * Double(counts.present)
    let isUniform = largest <= Self.mostOverBound * Float(tuning[Self.smallRatio])
    guard isUniform, !isUseful, !hasLearned(step), !(areZero && hasDeadLayer(step)) else {
      return []
    }
    let needed = Self.share * Double(counts.present)
    let severity: Severity? =
      areZero || Double(counts.lost) >= needed
      ? .critical : Double(counts.small) >= needed ? .warning : nil
    if let severity {
      return [Finding(scope: .run, met: severity, held: severity)]
    }
    return Double(counts.held) >= needed ? [Finding(scope: .run, met: nil, held: .critical)] : []
  }

  private struct Counts {
    var (present, zero, lost, small, held, effective) = (0, 0, 0, 0, 0, 0)
  }

  /// How many weights have which ratio; `nil` if fewer than two tell.
  private mutating func count(_ step: StepContext) -> Counts? {
    var counts = Counts()
    let factor = step.history.loss.progress == nil ? Self.unknownLossFactor : 1
    largest = 0
    for tensor in step.anatomy.weights {
      let norm = step.norms[tensor]
      guard norm.isFinite else { continue }
      counts.present += 1
      var parameter = step.parameterNorms[tensor]
      if !(parameter > 0) {
        let elements = Float(step.anatomy.model.tensors[tensor].elementCount)
        parameter = Self.usualWeight * elements.squareRoot()
      }
      let ratio = norm / parameter
      largest = max(largest, ratio)
      if norm == 0 { counts.zero += 1 }
      if ratio < Float(tuning[Self.lostRatio]) * factor { counts.lost += 1 }
      if ratio < Float(tuning[Self.smallRatio]) * factor { counts.small += 1 }
      if ratio < Float(tuning[Self.smallRatio]) * factor * Self.clearFactor { counts.held += 1 }
      if step.updateNorms[tensor] / parameter >= Self.effectiveUpdate { counts.effective += 1 }
    }
    return counts.present >= 2 ? counts : nil
  }

  private func hasLearned(_ step: StepContext) -> Bool {
    step.history.loss.progress.map { $0 < tuning[Self.leastProgress] } ?? false
  }

  /// Whether a layer is known to put out nothing but zeros: then that is the fault, and other rules
  /// name it.
  private func hasDeadLayer(_ step: StepContext) -> Bool {
    let columns = step.report.activations
    return columns.deadUnitFraction.contains { $0 > 0.9 }
      || columns.zeroFraction.contains { $0 > 0.98 }
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let setting = Setting(step)
    let layers = step.anatomy.weightLayers
    var facts = ["share_of_start_loss": "unknown"]
    if let progress = step.history.loss.progress { facts["share_of_start_loss"] = text(progress) }
    if let scale = setting.initialScale { facts["initial_scale"] = text(scale) }
    let cause: String
    if areZero {
      cause = "no signal passes the network: dead units, weights near zero, or a detached loss"
    } else if setting.isInitializedSmall {
      cause = "the first weights were too small, so every layer passes on a fraction of its input"
    } else {
      cause =
        "the loss is scaled down, or the last layer passes nothing on: all layers get equally "
        + "little"
    }
    return Diagnosis(
      summary: areZero
        ? "the gradients of all \(layers.count) weight layers are exactly zero since step \(first)"
        : "all \(layers.count) weight layers get gradients below \(text(Double(largest))) of their "
          + "weights since step \(first)",
      cause: cause,
      confidence: step.history.loss.progress == nil ? 0.7 : 0.9,
      evidence: Evidence(
        quantity: "largest ratio of gradient norm to parameter norm",
        observed: Double(largest),
        threshold: Double(
          finding.met == .critical ? Float(tuning[Self.lostRatio]) : Float(tuning[Self.smallRatio])
        ),
        firstStep: step.number,
        lastStep: step.number,
        recent: step.history.recentNorms.points,
        layers: step.anatomy.names(ofLayers: layers),
        facts: facts
      ),
      remedies: setting.smallRemedies
    )
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    var wide = Double(largest)
    try coder.code(&wide)
    largest = Float(wide)
    try coder.code(&areZero)
  }
}
