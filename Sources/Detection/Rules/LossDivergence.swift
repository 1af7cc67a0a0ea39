import Telemetry

/// The loss rises away from its best and stays away: L3.
///
/// Three times the best for 20 reports is no noisy batch; the smoothed loss takes each batch for at
/// most ten times the average. A loss that would halve within as many reports is on its way back: that was
/// a spike, however high (a bad batch, a layer drawn anew). The rise must be a visible share of where the loss began, for a net
/// that has converged to 1e-6 may stand at 1e-5 for a while. With several losses or negative ones
/// (two nets in a game, a policy's return) the first loss is no measure of success.
struct LossDivergence: Rule {
  static let id = RuleID("loss_divergence")
  static let summary = "The loss rises to three times its best, and stays there"
  static let policy = AlertPolicy(.init(hits: 20, window: 24), cleanEvaluations: 30)

  private static let warning = Threshold(
    "warning_rise",
    3,
    in: 1...1e9,
    "smoothed loss / its best; TheDeepChecker takes 2 for four steps, noise reaches that"
  )
  private static let critical = Threshold(
    "critical_rise",
    10,
    in: 1...1e9,
    "smoothed loss / its best at which nothing of what was learned is left"
  )
  private static let visible = Threshold(
    "least_level",
    0.3,
    in: 0...1e9,
    "smoothed loss / first losses below which a rise costs little"
  )
  private static let jump = Threshold(
    "critical_jump",
    10,
    in: 1...1e9,
    "growth of the loss within one report, twice in a row or a thousandfold at once"
  )
  static let thresholds = [warning, critical, visible, jump]
  private static let slack = 0.6
  /// Reports whose newer half is held against the older one.
  private static let trendReports = 20
  /// The newer half's median loss / the older one's at which a loss halves within ``trendReports``.
  private static let halving = 0.5.squareRoot()

  private let tuning: Tuning
  /// The average over about 50 reports, by which a rise is told from a fall.
  private var slow = 0.0
  private var samples: UInt64 = 0
  private var jumps: UInt64 = 0
  private var highest = 0.0

  init(_ anatomy: Anatomy, _ tuning: Tuning) { self.tuning = tuning }

  mutating func arm() { jumps = 0 }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    let history = step.history
    guard !step.isSkipped, !step.hasSeveralLosses, let loss = step.loss,
      loss.isFinite, loss >= 0, history.loss.hasLogScale
    else { return nil }
    takeJump(loss)
    samples &+= 1
    slow += max(0.02, 1 / Double(samples)) * (min(loss, samples > 5 ? 10 * slow : loss) - slow)
    if jumps >= 2 {
      return [Finding(scope: .run, met: .critical, held: .critical, isCertain: true)]
    }
    guard let rise = history.loss.rise, let progress = history.loss.progress else { return [] }
    let isVisible = progress >= tuning[Self.visible]
    let isUp = isVisible && history.loss.fast >= slow
    if rise >= tuning[Self.warning], isUp, !isHalving(history.recentLosses.points) {
      let severity: Severity = rise >= tuning[Self.critical] ? .critical : .warning
      return [Finding(scope: .run, met: step.isWarmup ? .info : severity, held: severity)]
    }
    guard rise >= Self.slack * tuning[Self.warning], isVisible else { return [] }
    return [
      Finding(
        scope: .run,
        met: nil,
        held: rise >= Self.slack * tuning[Self.critical] ? .critical : .warning
      )
    ]
  }

  /// Counts reports in a row that each grew by the factor past all that came before.
  private mutating func takeJump(_ loss: Double) {
    let isJump = highest > 0 && loss >= tuning[Self.jump] * highest
    let isGiant = highest > 0 && loss >= power(tuning[Self.jump], 3) * highest
    jumps = isJump ? jumps &+ (isGiant ? 2 : 1) : 0
    // One giant step after the start is a spike until it repeats.
    if isGiant, samples > 20, jumps == 2 { jumps = 1 }
    highest = max(highest, loss)
  }

  /// Whether the last losses fall by a half within ``trendReports``; not if there are fewer.
  ///
  /// Medians, for one wild batch among the older ones is no fall.
  private func isHalving(_ points: [Evidence.Point]) -> Bool {
    guard points.count >= Self.trendReports else { return false }
    let half = Self.trendReports / 2
    let values = points.suffix(Self.trendReports).map(\.value)
    let older = values.prefix(half).sorted()[half / 2]
    let newer = values.suffix(half).sorted()[half / 2]
    return newer < Self.halving * older
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let loss = step.history.loss
    let best = loss.best.isFinite ? loss.best : loss.initial
    let now = jumps >= 2 ? (step.loss ?? loss.fast) : loss.fast
    return Diagnosis(
      summary: "the loss rose to \(text(now)), \(text(now / best)) times its best of "
        + "\(text(best)), since step \(first)",
      cause: step.symptoms.containsAny(of: [ExplodingGradient.id, UpdateRatioTooHigh.id])
        ? "updates are too large for the loss surface, and each makes the next one larger"
        : "updates lead away from the minimum: the learning rate is too high, or the data changed",
      confidence: jumps >= 2 ? 0.95 : 0.8,
      evidence: Evidence(
        quantity: "smoothed loss",
        observed: now,
        baseline: best,
        threshold: tuning[finding.met == .critical ? Self.critical : Self.warning] * best,
        firstStep: step.number,
        lastStep: step.number,
        recent: step.history.recentLosses.points,
        facts: step.history.learningRate.map { ["learning_rate": text($0)] } ?? [:]
      ),
      remedies: Setting(step).divergenceRemedies
    )
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&slow)
    try coder.code(&samples)
    try coder.code(&jumps)
    try coder.code(&highest)
  }
}
