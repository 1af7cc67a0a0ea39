import Telemetry

/// Weights hardly move while nothing has been learned: R15, lower side.
///
/// At 2e-5 a weight needs 50,000 steps to change by its own size. That is fine for what has
/// converged, at the end of a schedule or during warm-up, so the loss must still be where it began,
/// and no layer may move well: a head alone learns something. A weight near 0 moves well by whatever it
/// moves, so it counts as a thousandth of what it will have to be (a gate of a residual branch that starts
/// at 0). TheDeepChecker's 1e-4 for any layer alarms on a healthy 50-layer He net (medians from 5e-5).
struct UpdateRatioTooLow: Rule {
  static let id = RuleID("update_ratio_too_low")
  static let summary = "Updates are below 2e-5 of the weights while nothing was learned"
  static let policy = AlertPolicy(.init(hits: 16, window: 20), cleanEvaluations: 20)

  private static let warning = Threshold(
    "warning_ratio",
    2e-5,
    in: 0...1,
    "norm of update / norm of weight, median; 50,000 steps to change a weight by its own size"
  )
  private static let fastest = Threshold(
    "fastest_ratio",
    1e-4,
    in: 0...1,
    "ratio of the layer that moves most; above it at least that layer learns"
  )
  private static let learned = Threshold(
    "learned_progress",
    0.9,
    in: 0...1,
    "smoothed loss / first losses below which the run does learn"
  )
  static let thresholds = [warning, fastest, learned]
  private static let clearFactor = 3.0
  /// The smallest gain (``Anatomy/gains``) that a layer is taken to have; sound ones have about 1.
  private static let leastGain: Float = 0.001

  private let tuning: Tuning
  private var ratios: [Double] = []

  init(_ anatomy: Anatomy, _ tuning: Tuning) { self.tuning = tuning }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    guard !step.isSkipped, !step.isWarmup, !step.report.parameters.updateNorm.isEmpty,
      step.nonFiniteTensors.isEmpty, step.history.learningRate != 0
    else { return nil }
    ratios.removeAll(keepingCapacity: true)
    for (position, tensor) in step.anatomy.weights.enumerated() where tuning.watches(tensor: tensor)
    {
      let update = step.updateNorms[tensor]
      let norm = step.parameterNorms[tensor]
      // Without a gradient there is nothing to move by.
      guard update.isFinite, norm > 0, norm.isFinite, step.norms[tensor] > 0 else { continue }
      let least = Self.leastGain / step.anatomy.gains[position]
      ratios.append(Double(update) / Double(max(norm, least)))
    }
    guard !ratios.isEmpty, let progress = step.history.loss.progress else { return nil }
    ratios.sort()
    let (middle, most) = (ratios[ratios.count / 2], ratios[ratios.count - 1])
    let isLow = middle < tuning[Self.warning] && most < tuning[Self.fastest]
    guard progress >= tuning[Self.learned], middle < Self.clearFactor * tuning[Self.warning]
    else { return [] }
    return [Finding(scope: .run, met: isLow ? .warning : nil, held: .warning)]
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let middle = ratios.isEmpty ? .nan : ratios[ratios.count / 2]
    let isClipped = step.report.scalars.clipping?.clipped ?? false
    var cause = "the learning rate is far too low for these gradients"
    if step.symptoms.containsAny(of: [UniformlySmallGradient.id]) {
      cause = "the gradients themselves are tiny"
    } else if isClipped {
      cause = "clipping leaves next to nothing of the gradients"
    }
    return Diagnosis(
      summary: "updates are \(text(middle)) of the weights a step, in the median layer, since step "
        + "\(first); the loss is where it began",
      cause: cause,
      confidence: (0.6 + 0.1 * decimalLog(max(1, tuning[Self.warning] / max(middle, 1e-12))))
        .clamped(to: 0.6...0.95),
      evidence: Evidence(
        quantity: "norm of update / norm of weight, median over the weights",
        observed: middle,
        threshold: tuning[Self.warning],
        firstStep: step.number,
        lastStep: step.number,
        facts: step.history.learningRate.map { ["learning_rate": text($0)] } ?? [:]
      ),
      remedies: Setting(step).smallUpdateRemedies(isClipped: isClipped)
    )
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {}
}
