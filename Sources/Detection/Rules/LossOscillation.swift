import Telemetry

/// The loss swings up and down from step to step: L5.
///
/// A step past the edge of stability jumps over the minimum and back, so that each loss is like the
/// one before the last and unlike the last. Noise of batches has no such order: there both distances
/// are equal on average, with a deviation of 0.09 over 64 reports; a trend makes the first one
/// larger. Swings that are more than gradient times update are not the steps' doing: batches, tasks or
/// phases take turns.
struct LossOscillation: Rule {
  static let id = RuleID("loss_oscillation")
  static let summary = "The loss swings up and down from step to step"
  static let policy = AlertPolicy(.init(hits: 16, window: 20), cleanEvaluations: 40)

  private static let order = Threshold(
    "most_ratio",
    0.6,
    in: 0...1,
    "distance of losses two reports apart / one report apart; 1 is noise, four deviations above this"
  )
  private static let swing = Threshold(
    "least_swing",
    0.05,
    in: 0...1e6,
    "distance of losses one report apart / their mean; smaller swings cost nothing"
  )
  private static let level = Threshold(
    "least_level",
    0.02,
    in: 0...1e6,
    "smoothed loss / first losses below which the minimum is found"
  )
  static let thresholds = [order, swing, level]
  private static let weight = 1.0 / 32
  private static let leastSamples: UInt64 = 32
  /// Swings / what updates explain from which on the data takes turns; the edge of stability has 0.1, batches
  /// in turns 5 to 300.
  private static let mostUnexplained = 2.0

  private let tuning: Tuning
  private var samples: UInt64 = 0
  private var mean = 0.0
  private var last = 0.0
  private var beforeLast = 0.0
  /// The average distances of losses one and two reports apart, as shares of the losses.
  private var near = 0.0
  private var far = 0.0
  /// The average change that updates explain, as a share of the losses; infinite if they are not known.
  private var explained = Double.infinity

  init(_ anatomy: Anatomy, _ tuning: Tuning) { self.tuning = tuning }

  mutating func arm() { samples = 0 }

  private var ratio: Double { near > 0 ? far / near : 1 }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    let history = step.history
    guard !step.isSkipped, !step.hasSeveralLosses, let loss = step.loss,
      loss.isFinite, history.loss.hasLogScale
    else { return nil }
    take(loss, step.explainedChange)
    guard samples >= Self.leastSamples, let progress = history.loss.progress else { return nil }
    guard progress >= tuning[Self.level], near >= tuning[Self.swing] / 2,
      near <= Self.mostUnexplained * explained
    else { return [] }
    if ratio <= tuning[Self.order], near >= tuning[Self.swing] {
      return [
        Finding(
          scope: .run,
          met: step.isWarmup ? .info : .warning,
          held: .warning,
          reports: Self.leastSamples
        )
      ]
    }
    let isHeld = ratio <= (1 + tuning[Self.order]) / 2
    return isHeld ? [Finding(scope: .run, met: nil, held: .warning)] : []
  }

  private mutating func take(_ loss: Double, _ change: Double?) {
    samples &+= 1
    if samples == 1 { (near, far, mean, explained) = (0, 0, loss, .infinity) }
    let weight = max(Self.weight, 1 / Double(samples))
    mean += weight * (loss - mean)
    if samples > 1 { near += weight * (distance(loss, last) - near) }
    let size = (abs(loss) + abs(last)) / 2
    if samples > 1, let change, size > 0 {
      explained =
        explained.isFinite ? explained + weight * (change / size - explained) : change / size
    }
    if samples > 2 { far += weight * (distance(loss, beforeLast) - far) }
    (beforeLast, last) = (last, loss)
  }

  /// The distance as a share of both, so that losses of another size are soon forgotten.
  private func distance(_ one: Double, _ other: Double) -> Double {
    let size = (abs(one) + abs(other)) / 2
    return size > 0 ? abs(one - other) / size : 0
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    Diagnosis(
      summary: "the loss swings by \(text(100 * near)) % around \(text(mean)) from step to "
        + "step, since step \(first)",
      cause: "each update jumps over the minimum: the learning rate is at the edge of stability",
      confidence: (1.2 - ratio).clamped(to: 0.6...0.95),
      evidence: Evidence(
        quantity: "distance of losses two reports apart / one report apart",
        observed: ratio,
        baseline: 1,
        threshold: tuning[Self.order],
        firstStep: step.number,
        lastStep: step.number,
        recent: step.history.recentLosses.points,
        facts: ["swing": text(near)]
      ),
      remedies: Setting(step).oscillationRemedies
    )
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&samples)
    try coder.code(&mean)
    try coder.code(&last)
    try coder.code(&beforeLast)
    try coder.code(&near)
    try coder.code(&far)
    try coder.code(&explained)
  }
}
