import Telemetry

/// One step's loss is far above all that was usual: L2.
///
/// The same filter as ``GradientSpike``'s: a winsorized deviation, and the largest excess of the last
/// reports, because losses are heavy-tailed when most samples are fitted. Both are taken from a mean
/// that follows within five reports, so that a falling loss is no deviation. What counts must also
/// be a visible share of where the loss began: 1e-5 after 1e-6 is no event.
struct LossSpike: Rule {
  static let id = RuleID("loss_spike")
  static let summary = "One step's loss is 8 deviations above the usual, and twice as large"
  static let policy = AlertPolicy(.none, cleanEvaluations: 20)

  private static let deviations = Threshold(
    "warning_deviations",
    8,
    in: 1...1e6,
    "deviations above the mean; at 8 heavy-tailed but healthy losses stay below"
  )
  private static let ratio = Threshold(
    "warning_ratio",
    2,
    in: 1...1e6,
    "loss / mean; llm-foundry uses 2"
  )
  private static let overLargest = Threshold(
    "over_largest",
    2,
    in: 1...1e6,
    "excess over the mean / largest excess of the last 128 reports"
  )
  private static let visible = Threshold(
    "least_rise",
    0.1,
    in: 0...1e6,
    "rise / first losses; less than that costs nothing"
  )
  static let thresholds = [deviations, ratio, overLargest, visible]
  private static let leastSamples: UInt64 = 20
  private static let windowLength = 128
  private static let meanWeight = 0.2
  private static let weight = 0.03
  private static let winsor = 3.0
  private static let leastDeviation = 0.02
  /// Rise / what the update explains, from which on it was the batch.
  private static let mostUnexplained = 2.0
  /// Reports after which a loss that is still twice as high has not come back.
  private static let lingering: UInt64 = 200

  private let tuning: Tuning
  private var samples: UInt64 = 0
  private var first = FirstValues()
  private var mean = 0.0
  private var variance = 0.0
  private var window: [Float] = Array(repeating: 0, count: windowLength)
  private var sinceSpike = UInt64.max
  private var usual = 0.0
  private var bound = 0.0
  private var size = 0.0
  /// Whether the last update can't have made the spike.
  private var isUnexplained = false

  init(_ anatomy: Anatomy, _ tuning: Tuning) { self.tuning = tuning }

  // A new rate, or a step back, does not change what a loss is; another batch may.
  private mutating func forget() {
    samples = 0
    first = FirstValues()
    mean = 0
    variance = 0
    for index in window.indices { window[index] = 0 }
    sinceSpike = .max
  }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    guard !step.isSkipped, let loss = step.loss, loss.isFinite, step.history.loss.hasLogScale,
      loss >= 0
    else { return nil }
    if step.isBatchBreak { forget() }
    let deviation = max(variance.squareRoot(), Self.leastDeviation * mean)
    let threshold = max(
      mean + tuning[Self.deviations] * deviation,
      tuning[Self.ratio] * mean,
      mean + tuning[Self.overLargest] * Double(window.max() ?? 0),
      mean + tuning[Self.visible] * step.history.loss.initial
    )
    let isSpike = samples >= Self.leastSamples && loss > threshold
    sinceSpike = sinceSpike == .max ? .max : sinceSpike &+ 1
    if isSpike {
      (usual, bound, size, sinceSpike) = (mean, threshold, loss, 0)
      isUnexplained = step.explainedChange.map { loss - mean > Self.mostUnexplained * $0 } ?? false
    }
    take(loss, deviation: deviation)
    if isSpike {
      let severity: Severity = step.isWarmup ? .info : .warning
      return [Finding(scope: .run, met: severity, held: severity)]
    }
    // The level after a spike becomes usual; what it was before it is what it must come back to.
    guard sinceSpike <= Self.lingering, step.history.loss.fast >= 2 * usual else { return [] }
    let hasLingered = sinceSpike == Self.lingering
    return [Finding(scope: .run, met: hasLingered ? .critical : nil, held: .warning)]
  }

  private mutating func take(_ loss: Double, deviation: Double) {
    // The first ones fall fastest, and are no measure of what is usual.
    let excess = samples > 8 ? loss - mean : 0
    window[Int(samples % UInt64(Self.windowLength))] = Float(max(0, excess))
    samples &+= 1
    let value = samples > 8 ? min(loss, mean + Self.winsor * deviation) : loss
    let difference = value - mean
    mean += max(Self.meanWeight, 1 / Double(samples)) * difference
    if let median = first.take(loss), FirstValues.isExtreme(mean, besideMedian: median) {
      mean = median
    }
    if samples > 8 { variance += Self.weight * (difference * difference - variance) }
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let rate = step.history.learningRate
    return Diagnosis(
      summary: "the loss jumped to \(text(size)), \(text(size / usual)) times the usual "
        + "\(text(usual)), at step \(step.number &- sinceSpike)",
      cause: finding.met == .critical
        ? "the loss has not come back: the step that followed the spike broke what was learned"
        : isUnexplained
          ? "an odd batch (labels, scale, length): the last update was far too small for such a rise"
          : "an odd batch (labels, scale, length), or an update that was far too large",
      confidence: (0.6 + 0.1 * naturalLog(max(1, size / bound))).clamped(to: 0.6...0.95),
      evidence: Evidence(
        quantity: "loss",
        observed: size,
        baseline: usual,
        threshold: bound,
        firstStep: step.number,
        lastStep: step.number,
        recent: step.history.recentLosses.points,
        facts: rate.map { ["learning_rate": text($0)] } ?? [:]
      ),
      remedies: Setting(step).spikeRemedies
    )
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&samples)
    try first.code(&coder)
    try coder.code(&mean)
    try coder.code(&variance)
    try coder.code(&window)
    try coder.code(&sinceSpike)
    try coder.code(&usual)
    try coder.code(&bound)
    try coder.code(&size)
    try coder.code(&isUnexplained)
  }
}
