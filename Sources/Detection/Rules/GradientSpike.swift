import Telemetry

/// One step's global norm is far above all that was usual: R5.
///
/// A winsorized average in linear space with z >= 8 and a ratio >= 5 had 0.2 false hits in 1000
/// steps and found 99 % of tenfold spikes (21 healthy runs; a window without winsorizing finds half
/// of them after a first spike). Late in a run, when most samples are fitted, and with batches of
/// one, norms are heavy-tailed: there 20 times the average is usual, but never four times the
/// largest of the last 256.
struct GradientSpike: Rule {
  static let id = RuleID("gradient_spike")
  static let summary = "One step's gradient norm is 5 times and 8 deviations above the usual"
  /// One step is the whole event.
  ///
  /// The alert stays for 20 steps, so that a burst is one alert.
  static let policy = AlertPolicy(.none, cleanEvaluations: 20)

  private static let leastDeviations = Threshold(
    "warning_deviations",
    8,
    in: 1...1e6,
    "deviations above the winsorized mean; 0.2 false hits in 1000 healthy steps with the ratio"
  )
  private static let leastRatio = Threshold(
    "warning_ratio",
    5,
    in: 1...1e6,
    "norm / mean"
  )
  private static let leastOverLargest = Threshold(
    "over_largest",
    4,
    in: 1...1e6,
    "norm / largest of the last 256; late in a run 20 times the mean is usual, this is not"
  )
  private static let criticalRatio = Threshold(
    "critical_ratio",
    100,
    in: 1...1e9,
    "norm / mean that is more than a bad batch costs"
  )
  static let thresholds = [leastDeviations, leastRatio, leastOverLargest, criticalRatio]
  /// Three within fifty are more than a bad batch costs, too.
  private static let criticalCount = 3
  private static let countWindow = 50
  /// Fewer tell neither a deviation nor what the largest one is.
  private static let leastSamples: UInt64 = 32
  private static let windowLength = 256
  /// The first norms of a run are large, and no measure of what is usual.
  private static let unusualSamples: UInt64 = 16
  private static let weight = 0.01
  /// A norm enters the average as at most this many deviations above it.
  private static let winsor = 3.0
  /// A smoother series than 10 % is luck: the deviation is never taken below that.
  private static let leastDeviation = 0.1
  /// Reports after a spike in which a doubled loss is taken for its effect.
  private static let aftermath: UInt64 = 10

  private let tuning: Tuning
  private var samples: UInt64 = 0
  private var first = FirstValues()
  private var mean = 0.0
  private var variance = 0.0
  private var window: [Float] = Array(repeating: 0, count: windowLength)
  private var spikes = HitWindow()
  private var sinceSpike = UInt64.max
  private var lossBefore = 0.0
  /// What was usual at the last spike.
  private var usual = 0.0
  private var bound = 0.0
  private var size = 0.0

  init(_ anatomy: Anatomy, _ tuning: Tuning) { self.tuning = tuning }

  mutating func arm() {
    samples = 0
    first = FirstValues()
    mean = 0
    variance = 0
    for index in window.indices { window[index] = 0 }
    spikes = HitWindow()
    sinceSpike = .max
  }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    guard !step.isSkipped, step.isScaleKnown, let norm = step.globalNorm else { return nil }
    let deviation = max(variance.squareRoot(), Self.leastDeviation * mean)
    let largest = Double(window.max() ?? 0)
    let threshold = max(
      mean + tuning[Self.leastDeviations] * deviation,
      tuning[Self.leastRatio] * mean,
      tuning[Self.leastOverLargest] * largest
    )
    let isSpike = samples >= Self.leastSamples && mean > 0 && norm >= threshold
    spikes.record(isSpike)
    sinceSpike = sinceSpike == .max ? .max : sinceSpike &+ 1
    if isSpike {
      (usual, bound, size, sinceSpike) = (mean, threshold, norm, 0)
      lossBefore = step.history.loss.fast
    }
    take(norm, deviation: deviation)
    guard let severity = severity(isSpike: isSpike, step) else { return [] }
    return [Finding(scope: .run, met: severity, held: severity)]
  }

  private func severity(isSpike: Bool, _ step: StepContext) -> Severity? {
    if isSpike {
      if step.isWarmup { return .info }
      let isCritical =
        size >= tuning[Self.criticalRatio] * usual
        || spikes.count(inLast: Self.countWindow) >= Self.criticalCount
      return isCritical ? .critical : .warning
    }
    guard sinceSpike <= Self.aftermath, step.history.loss.hasLogScale, lossBefore > 0,
      step.history.loss.fast >= 2 * lossBefore
    else { return nil }
    return .critical
  }

  private mutating func take(_ norm: Double, deviation: Double) {
    if samples >= Self.unusualSamples {
      window[Int(samples % UInt64(Self.windowLength))] = Float(norm)
    }
    samples &+= 1
    // The first ones are averaged as they are: there is nothing yet to hold them against.
    let isSettled = samples > 8
    let value = isSettled ? min(norm, mean + Self.winsor * deviation) : norm
    let weight = max(Self.weight, 1 / Double(samples))
    let difference = value - mean
    mean += weight * difference
    variance = (1 - weight) * (variance + weight * difference * difference)
    if let median = first.take(norm), FirstValues.isExtreme(mean, besideMedian: median) {
      (mean, variance) = (median, 0)
    }
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let carriers = carriers(step)
    let model = step.anatomy.model
    var cause =
      "one batch whose loss is steep: a bad label, an odd sample or length, or too large a step"
    if finding.met == .critical, spikes.count(inLast: Self.countWindow) >= Self.criticalCount {
      cause =
        "repeated spikes: the learning rate is at the edge of stability, or the data has outliers"
    }
    return Diagnosis(
      summary: "the gradient norm jumped to \(text(size)), \(text(size / usual)) times the usual "
        + "\(text(usual)), at step \(step.number)"
        + (carriers.first.map { ", most in \(model.tensors[$0].name)" } ?? ""),
      cause: cause,
      // 0.6 at the bound, 0.9 at a hundred times the usual.
      confidence: (0.6 + 0.1 * naturalLog(max(1, size / bound))).clamped(to: 0.6...0.95),
      evidence: Evidence(
        quantity: "global gradient norm",
        observed: size,
        baseline: usual,
        threshold: bound,
        firstStep: step.number,
        lastStep: step.number,
        recent: step.history.recentNorms.points,
        layers: step.anatomy.names(ofLayersOf: carriers),
        tensors: carriers.prefix(8).map { model.tensors[$0].name }
      ),
      remedies: Setting(step).spikeRemedies
    )
  }

  /// The tensors that grew at least as much as half of the whole did, the most first.
  private func carriers(_ step: StepContext) -> [Int] {
    var found: [(ratio: Float, tensor: Int)] = []
    for (tensor, norm) in step.norms.enumerated() {
      let ratio = norm / step.history.usualNorms[tensor]
      if ratio.isFinite, Double(ratio) >= 0.5 * size / usual { found.append((ratio, tensor)) }
    }
    return found.sorted { ($1.ratio, $0.tensor) < ($0.ratio, $1.tensor) }.map(\.tensor)
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&samples)
    try first.code(&coder)
    try coder.code(&mean)
    try coder.code(&variance)
    try coder.code(&window)
    try spikes.code(&coder)
    try coder.code(&sinceSpike)
    try coder.code(&lossBefore)
    try coder.code(&usual)
    try coder.code(&bound)
    try coder.code(&size)
  }
}
