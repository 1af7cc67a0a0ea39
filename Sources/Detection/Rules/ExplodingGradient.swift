import Telemetry

/// Gradients grow from step to step, or from layer to layer toward the inputs: R3 and R6.
///
/// No bound is absolute: regression on raw targets is healthy at a norm of 4000, and a bound on the
/// first layer's share (AUTOTRAINER's 70) fires on healthy ReLU nets. Growth alone is not enough
/// either: gradients grow while a net leaves a flat start, and with weight decay at the end of a
/// schedule (arXiv 2506.02285). So wherever a loss is known it must not be falling.
struct ExplodingGradient: Rule {
  static let id = RuleID("exploding_gradient")
  static let summary = "Gradients grow from step to step or toward the first layers"
  /// 5 of 8; what is past doubt says so itself.
  static let policy = AlertPolicy(.init(hits: 5, window: 8), cleanEvaluations: 50)

  private static let jump = Threshold(
    "critical_jump",
    10,
    in: 1...1e9,
    "growth of the norm in one report past all before, twice in a row; none in 21 healthy runs"
  )
  private static let replacingUpdate = Threshold(
    "critical_update",
    10,
    in: 0...1e9,
    "norm of update / norm of weight that replaces a weight (SageMaker Debugger's WeightUpdateRatio)"
  )
  private static let warningGrowth = Threshold(
    "warning_growth",
    10,
    in: 1...1e9,
    "norm of the last 5 reports / of the last 100; healthy runs reach 4"
  )
  private static let criticalGrowth = Threshold(
    "critical_growth",
    100,
    in: 1...1e9,
    "as above, past what a lower rate alone mends"
  )
  static let thresholds = [jump, replacingUpdate, warningGrowth, criticalGrowth]
  private static let jumps: UInt64 = 2
  /// Norm times gain; healthy weights have about 1.
  private static let leastSize: Float = 0.03
  /// ln 3.
  private static let clearTrend = 1.099
  /// Without a loss, ln 30.
  private static let blindTrend = 3.401
  /// The shared baselines' settling time.
  private static let leastSamples: UInt64 = 50
  /// Smoothed loss / best one that is no noise, and / first ones that is no converged run's.
  private static let leastRise = 1.2
  private static let leastProgress = 0.5
  /// Slow growth: the average over 50 reports above its lowest, with a loss half again its best.
  private static let slowWeight = 0.02
  private static let slowRise = 1.5

  /// How it explodes, the gravest first.
  private enum Mode: UInt8 {
    case replaced = 1
    case jumped = 2
    case trend = 3
    case drift = 4
    case gain = 5
  }

  private let tuning: Tuning
  /// What the last finding was.
  private var mode = Mode.trend
  /// Tenfold jumps in a row, and the norm before the first of them.
  private var jumpsNow: UInt64 = 0
  private var beforeJump = 0.0
  /// The average of ln(norm) over 50 reports, its lowest value, and the learning rate then.
  private var drift = 0.0
  private var driftFloor = 0.0
  private var driftRate = 0.0
  private var samples: UInt64 = 0
  private var gain = LayerGain()

  init(_ anatomy: Anatomy, _ tuning: Tuning) { self.tuning = tuning }

  mutating func arm() {
    jumpsNow = 0
    samples = 0
  }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    guard !step.isSkipped, step.nonFiniteTensors.isEmpty, let norm = step.globalNorm else {
      return nil
    }
    takeJump(norm, step)
    takeDrift(norm, step)
    gain.take(step)
    if isReplaced(step) { return report(.replaced, .critical, step, isCertain: true) }
    if jumpsNow >= Self.jumps { return report(.jumped, .critical, step, isCertain: true) }
    if let severity = trendSeverity(step) { return report(.trend, severity, step) }
    if let severity = driftSeverity(step) { return report(.drift, severity, step) }
    if let severity = gain.severity { return report(.gain, severity, step) }
    let trend = step.history.fast - step.history.slow
    guard trend >= Self.clearTrend || gain.isHeld else { return [] }
    return [Finding(scope: .run, met: nil, held: .critical)]
  }

  private mutating func report(
    _ mode: Mode,
    _ severity: Severity,
    _ step: StepContext,
    isCertain: Bool = false
  ) -> [Finding] {
    self.mode = mode
    var scope = AlertScope.run
    if mode == .gain { scope = .layers(gain.range(step)) }
    return [Finding(scope: scope, met: severity, held: severity, isCertain: isCertain)]
  }

  // MARK: From step to step

  private var warningTrend: Double { naturalLog(tuning[Self.warningGrowth]) }
  private var criticalTrend: Double { naturalLog(tuning[Self.criticalGrowth]) }

  private mutating func takeJump(_ norm: Double, _ step: StepContext) {
    guard step.isScaleKnown, let last = step.history.lastNorm else { return }
    var isLossFalling = false
    if let loss = step.loss, let before = step.history.lastLoss { isLossFalling = loss < before }
    let isJump =
      last > 0 && norm >= tuning[Self.jump] * max(last, step.history.highestNorm) && !isLossFalling
    if isJump, jumpsNow == 0 { beforeJump = last }
    jumpsNow = isJump ? jumpsNow &+ 1 : 0
  }

  /// Whether half of the weights, and two at least where there are two, were replaced by this step,
  /// or a single one a hundredfold.
  private func isReplaced(_ step: StepContext) -> Bool {
    var (known, replaced) = (0, 0)
    for (position, tensor) in step.anatomy.weights.enumerated() {
      let weight = step.parameterNorms[tensor]
      let initial = step.history.initialParameterNorms[tensor]
      // A weight that began at 0 has no size to compare with.
      let size = initial.isNaN ? weight : max(weight, initial)
      guard size > 0, initial.isNaN || initial > 0 else { continue }
      let update = step.updateNorms[tensor]
      guard !update.isNaN else { continue }
      known += 1
      let bound = Float(tuning[Self.replacingUpdate])
      if update > bound * size { replaced += 1 }
      // A scale that begins near 0 on purpose moves by more than its size.
      if update > 10 * bound * size, size * step.anatomy.gains[position] >= Self.leastSize {
        return true
      }
    }
    return replaced > 0 && replaced >= min(2, known) && 2 * replaced >= known
  }

  /// Whether the loss allows to call growth a fault; `nil` if it is not known.
  private func isLossBad(_ step: StepContext, rise: Double) -> Bool? {
    guard let progress = step.history.loss.progress, let now = step.history.loss.rise else {
      return nil
    }
    return now >= rise
      && (progress >= Self.leastProgress || step.history.fast >= step.history.highestSlow)
  }

  private func trendSeverity(_ step: StepContext) -> Severity? {
    let history = step.history
    guard step.isScaleKnown, history.samples >= Self.leastSamples else { return nil }
    let trend = history.fast - history.slow
    guard let isBad = isLossBad(step, rise: Self.leastRise) else {
      guard history.fast >= history.highestSlow, trend >= Self.blindTrend else { return nil }
      return severity(ofGrowth: trend, step)
    }
    guard isBad, trend >= warningTrend else { return nil }
    return severity(ofGrowth: trend, step)
  }

  private mutating func takeDrift(_ norm: Double, _ step: StepContext) {
    guard norm > 0 else { return }
    let ln = naturalLog(norm)
    samples &+= 1
    drift += max(Self.slowWeight, 1 / Double(samples)) * (ln - drift)
    if samples <= Self.leastSamples || drift < driftFloor {
      driftFloor = drift
      driftRate = step.history.learningRate ?? 0
    }
  }

  private func driftSeverity(_ step: StepContext) -> Severity? {
    guard step.isScaleKnown, samples > Self.leastSamples,
      isLossBad(step, rise: Self.slowRise) ?? false
    else { return nil }
    // As the rate falls, weight decay and normalization let norms grow by its square root.
    let rate = step.history.learningRate ?? 0
    let expected = rate > 0 && driftRate > rate ? 0.5 * naturalLog(driftRate / rate) : 0
    let rise = drift - driftFloor - expected
    guard rise >= warningTrend else { return nil }
    return severity(ofGrowth: rise, step)
  }

  /// While the learning rate rises, norms grow for good reasons.
  private func severity(ofGrowth growth: Double, _ step: StepContext) -> Severity {
    step.isWarmup ? .info : growth >= criticalTrend ? .critical : .warning
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let norm = step.globalNorm ?? .nan
    var layers: ClosedRange<UInt32>?
    if case .layers(let range) = finding.scope { layers = range }
    let setting = Setting(step, layers: layers)
    let evidence: Evidence
    let (summary, cause): (String, String)
    switch mode {
    case .replaced:
      summary =
        "one update moved the weights by more than ten times their size at step "
        + "\(step.number), with a gradient norm of \(text(norm))"
      cause = "the gradient times the learning rate is larger than the weights themselves"
      evidence = self.evidence(
        "largest ratio of update norm to parameter norm",
        largestUpdate(step),
        bound: tuning[Self.replacingUpdate],
        step
      )
    case .jumped:
      summary =
        "the gradient norm grew from \(text(beforeJump)) to \(text(norm)) in "
        + "\(jumpsNow) steps up to step \(step.number)"
      cause = "each update overshoots and makes the next gradient larger"
      evidence = self.evidence("global gradient norm", norm, baseline: beforeJump, step)
    case .trend, .drift:
      let usual = exponential(mode == .trend ? step.history.slow : driftFloor)
      summary =
        "the gradient norm grew to \(text(norm)), \(text(norm / usual)) times its "
        + (mode == .trend ? "average" : "lowest average") + " of \(text(usual)), since step "
        + "\(first)"
      cause = "training diverges: the learning rate is past what the loss surface allows"
      evidence = self.evidence(
        "global gradient norm",
        norm,
        baseline: usual,
        bound: 10 * usual,
        step
      )
    case .gain:
      let times = power(10, Double(gain.log))
      let name = step.anatomy.name(ofLayer: step.anatomy.weightLayers[gain.place])
      summary =
        "the gradient is \(text(times)) times as large at \(name) as at the last layer, beside "
        + "their weights, since step \(first)"
      cause =
        setting.isRecurrent
        ? "the recurrent matrix multiplies the gradient once a time step"
        : "each layer's Jacobian makes the gradient larger on its way to the inputs"
      evidence = self.evidence(
        "weight times gradient norm, beside the last layer's",
        times,
        baseline: 1,
        bound: power(10, Double(LayerGain.warningLog)),
        layers: layers,
        step
      )
    }
    return Diagnosis(
      summary: summary,
      cause: setting.isInitializedLarge ? cause + "; the first weights were far too large" : cause,
      confidence: confidence,
      evidence: evidence,
      remedies: setting.explodingRemedies(atStep: step.number)
    )
  }

  private func evidence(
    _ quantity: String,
    _ observed: Double,
    baseline: Double? = nil,
    bound: Double? = nil,
    layers: ClosedRange<UInt32>? = nil,
    _ step: StepContext
  ) -> Evidence {
    let anatomy = step.anatomy
    // Without a place of its own, the alert names the layers that grew as much as the whole did.
    let names =
      layers.map { range in anatomy.weightLayers.filter(range.contains) } ?? grownLayers(step)
    return Evidence(
      quantity: quantity,
      observed: observed,
      baseline: baseline,
      threshold: bound,
      firstStep: step.number,
      lastStep: step.number,
      recent: step.history.recentNorms.points,
      layers: anatomy.names(ofLayers: names)
    )
  }

  /// The weight layers whose gradient grew by at least half of what the largest growth was.
  private func grownLayers(_ step: StepContext) -> [UInt32] {
    let ratios = step.anatomy.weights.map { step.norms[$0] / step.history.usualNorms[$0] }
    guard let most = ratios.filter(\.isFinite).max() else { return step.anatomy.weightLayers }
    let grown = zip(step.anatomy.weights, ratios).filter { $0.1 >= most / 2 }
    return step.anatomy.layers(ofTensors: grown.map(\.0))
  }

  private func largestUpdate(_ step: StepContext) -> Double {
    let ratios = step.anatomy.weights.map { step.updateNorms[$0] / step.parameterNorms[$0] }
    return Double(ratios.filter(\.isFinite).max() ?? .infinity)
  }

  private var confidence: Double {
    switch mode {
    case .replaced, .jumped: 0.95
    case .trend: 0.85
    case .drift, .gain: 0.75
    }
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&mode)
    try coder.code(&jumpsNow)
    try coder.code(&beforeJump)
    try coder.code(&drift)
    try coder.code(&driftFloor)
    try coder.code(&driftRate)
    try coder.code(&samples)
    try gain.code(&coder)
  }
}
