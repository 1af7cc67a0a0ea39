import Telemetry

/// Clipping changes nearly every gradient: R14.
///
/// Clipping is a safety net; one that catches every step sets the step size instead, and hides what
/// makes gradients large (seed article 002). Adaptive clippers clip by design and are left out, and
/// a net that learns in spite of a mild clipper is worth an info.
/// Many sound recipes clip their first steps, so a mild clipper must clip for a hundred reports;
/// one that removes nine tenths of the gradient need not wait.
struct ClippingEveryStep: Rule {
  static let id = RuleID("clipping_every_step")
  static let summary = "Nearly every step's gradient is clipped"
  static let policy = AlertPolicy(.none, cleanEvaluations: 40)

  private static let share = Threshold(
    "warning_share",
    0.95,
    in: 0...1,
    "share of the last reports that were clipped; below 0.9 a clipper still follows the gradient"
  )
  private static let severe = Threshold(
    "severe_factor",
    0.1,
    in: 0...1,
    "threshold / norm at which clipping by norm takes all but a tenth"
  )
  private static let severeReports = Threshold(
    "severe_reports",
    25,
    in: 1...1e6,
    "reports to look at if the factor is that small"
  )
  private static let mildReports = Threshold(
    "mild_reports",
    100,
    in: 1...1e6,
    "reports to look at otherwise: longer than the first steps that many recipes clip"
  )
  static let thresholds = [share, severe, severeReports, mildReports]
  private static let clearShare = 0.7
  /// Smoothed loss / first losses, below which the net learns; language models take long for more.
  private static let learningProgress = 0.9
  /// Clipping by value turns the gradient as well, so half of the largest element is much.
  private static let severeByValue = 0.5

  private let tuning: Tuning
  /// The share of clipped reports and the mean log10 of the factor, over ``mildReports``.
  private var clipped = 0.0
  private var factor = 0.0
  private var reports: UInt64 = 0
  private var threshold = 0.0

  init(_ anatomy: Anatomy, _ tuning: Tuning) { self.tuning = tuning }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    guard !step.isSkipped, let clipping = step.report.scalars.clipping, clipping.kind != .adaptive
    else { return nil }
    if clipping.threshold > 2 * threshold { reports = 0 }
    threshold = clipping.threshold
    guard let left = left(of: clipping, step) else { return nil }
    reports &+= 1
    let weight = max(1 / Double(reports), 2 / tuning[Self.mildReports])
    clipped += weight * ((clipping.clipped ? 1 : 0) - clipped)
    factor += weight * (decimalLog(max(left, 1e-30)) - factor)
    let bound = clipping.kind == .value ? Self.severeByValue : tuning[Self.severe]
    let isSevere = power(10, factor) < bound
    let patience = tuning[isSevere ? Self.severeReports : Self.mildReports]
    if clipped >= tuning[Self.share], Double(reports) >= patience {
      // Little is cut, and the net learns.
      let isLearning = (step.history.loss.progress ?? 1) < Self.learningProgress
      let isHarmless = !isSevere && isLearning
      return [
        Finding(
          scope: .run,
          met: isHarmless ? .info : .warning,
          held: .warning,
          reports: UInt64(patience)
        )
      ]
    }
    if clipped >= 0.5, Double(reports) >= tuning[Self.mildReports] {
      return [Finding(scope: .run, met: .info, held: clipped >= Self.clearShare ? .warning : .info)]
    }
    return []
  }

  /// What the clipper leaves of the gradient, from 0 to 1; `nil` if its norm is not known.
  private func left(of clipping: Clipping, _ step: StepContext) -> Double? {
    guard clipping.clipped else { return 1 }
    guard clipping.kind == .value else {
      return step.globalNorm.map { $0 > 0 ? min(1, clipping.threshold / $0) : 1 }
    }
    let columns = step.report.gradients
    let largest = max(columns.max.max() ?? 0, -(columns.min.min() ?? 0))
    return largest > 0 ? min(1, clipping.threshold / Double(largest)) : nil
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let left = power(10, factor)
    return Diagnosis(
      summary:
        "\(text(100 * clipped)) % of the steps are clipped, to \(text(left)) of the gradient "
        + "on average, since step \(first)",
      cause: left < tuning[Self.severe]
        ? "the threshold is far below the usual gradient: it sets the step size, not the net"
        : "gradients are larger than the threshold throughout: initialization or architecture",
      confidence: left < tuning[Self.severe] ? 0.9 : 0.6,
      evidence: Evidence(
        quantity: "share of the last reports that were clipped",
        observed: clipped,
        threshold: tuning[Self.share],
        firstStep: step.number,
        lastStep: step.number,
        recent: step.history.recentNorms.points,
        facts: ["clip_threshold": text(threshold), "factor": text(left)]
      ),
      remedies: Setting(step).clippingRemedies
    )
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&clipped)
    try coder.code(&factor)
    try coder.code(&reports)
    try coder.code(&threshold)
  }
}
