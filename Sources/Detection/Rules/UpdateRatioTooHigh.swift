import Telemetry

/// Each step rewrites a large part of the weights: R15, upper side.
///
/// Healthy medians are 5e-5 to 3e-3, and below 0.05 after the first steps; at 0.1 nothing of a
/// weight is left after ten steps. A few huge steps do the same at once (Adam's and RMSprop's first
/// ones are full-sized), so the way that the median weight went over twelve reports counts too. And where
/// updates are measured now and then only, what they have done shows in the weights: hidden layers of healthy
/// nets stay below 3 times the size that they began with or that is recommended, unless they take long for it.
/// The last layer's size is a matter of the targets'.
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
  private static let growth = Threshold(
    "warning_growth",
    4,
    in: 1...1e9,
    "norm of weight / its first or recommended one, if it grew by 5 % of that a step; twice that in a few layers"
  )
  static let thresholds = [warning, critical, path, growth]
  private static let pathLength = 12
  /// Smoothed loss / first losses, below which a few huge steps have done no harm.
  private static let leastProgress = 0.9
  private static let slack = 0.5
  /// The first steps of Adam are full-sized whatever the gradient.
  private static let firstReports: UInt64 = 10
  /// A weight below this share of its recommended size began near 0 on purpose.
  private static let leastSize: Float = 0.03
  /// Growth a step, as a share of the first or recommended size, below which it is the work of many steps.
  private static let leastSpeed = 0.05

  private let tuning: Tuning
  private var reports: UInt64 = 0
  /// The first step with parameters.
  private var firstStep: UInt64?
  /// For each weight, how much of its norm's growth since then updates explain.
  private var grown: [Float]
  /// The median ratios of the last reports.
  private var medians: [Float] = Array(repeating: 0, count: pathLength)
  /// What was measured last; the growth of the last layer is nobody's business.
  private var ratios: [(layer: UInt32, ratio: Double, growth: Double?)] = []

  init(_ anatomy: Anatomy, _ tuning: Tuning) {
    self.tuning = tuning
    grown = Array(repeating: 0, count: anatomy.weights.count)
  }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    guard !step.isSkipped, !step.report.parameters.updateNorm.isEmpty else { return nil }
    reports &+= 1
    let first = firstStep ?? step.number
    firstStep = first
    let (warning, critical) = (tuning[Self.warning], tuning[Self.critical])
    ratios.removeAll(keepingCapacity: true)
    var (above, held, far, hidden, large) = (0, 0, 0, 0, 0)
    for (position, tensor) in step.anatomy.weights.enumerated() where tuning.watches(tensor: tensor)
    {
      let update = step.updateNorms[tensor]
      let norm = step.parameterNorms[tensor]
      let initial = step.history.initialParameterNorms[tensor]
      let gain = step.anatomy.gains[position]
      // NaN is no large ratio, and infinite ones are.
      guard !update.isNaN, norm > 0, initial * gain >= Self.leastSize else { continue }
      let ratio = Double(update) / Double(norm)
      grown[position] += explainedGrowth(ofTensor: tensor, step)
      let size = Double(max(initial, 1 / gain))
      let isFast = Double(grown[position]) >= Self.leastSpeed * size * Double(step.number &- first)
      let isHidden = step.anatomy.slots[position] + 1 < step.anatomy.weightLayers.count
      let growth = isFast ? Double(initial + grown[position]) / size : 0
      ratios.append((step.anatomy.model.tensors[tensor].layer, ratio, isHidden ? growth : nil))
      if ratio > Self.slack * warning { held += 1 }
      if ratio > warning { above += 1 }
      if ratio > critical { far += 1 }
      if isHidden { hidden += 1 }
      if isHidden, growth >= tuning[Self.growth] { large += 1 }
    }
    guard !ratios.isEmpty else { return nil }
    medians[Int(reports % UInt64(Self.pathLength))] = Float(middle(of: ratios.map { $0.ratio }))
    let majority = (ratios.count + 1) / 2
    // A net that learns may have needed it.
    let hasGoneFar =
      Double(medians.reduce(0, +)) >= tuning[Self.path]
      && (step.history.loss.progress ?? 1) >= Self.leastProgress
    let hasGrown = hidden > 0 && 2 * large >= hidden
    guard held >= majority || hasGoneFar || hasGrown else { return fewLayers(step) }
    let isFirst = reports <= Self.firstReports
    var met: Severity? =
      far >= majority ? .critical : above >= majority && !isFirst ? .warning : nil
    if hasGoneFar || hasGrown, met == nil { met = .warning }
    return [
      Finding(
        scope: .run,
        met: step.isWarmup && met == .warning ? .info : met,
        held: far >= majority ? .critical : .warning,
        isCertain: hasGoneFar || hasGrown
      )
    ]
  }

  /// A step of another rate is not part of the way that those of the old one went.
  mutating func arm() { medians = Array(repeating: 0, count: Self.pathLength) }

  /// How much the norm of a weight has grown since it was last measured, as far as updates explain it: what
  /// else changes weights is ``WeightJump``'s.
  private func explainedGrowth(ofTensor tensor: Int, _ step: StepContext) -> Float {
    let difference = step.parameterNorms[tensor] - step.history.measuredNorms[tensor]
    guard let last = step.history.measuredStep, difference.isFinite else { return 0 }
    let (before, after) = (step.history.measuredUpdates[tensor], step.updateNorms[tensor])
    let update = before > after ? before : after
    return min(difference, Float(max(1, step.number &- last)) * update)
  }

  /// The layers that move too far while most do not, as with a rate of their own.
  private func fewLayers(_ step: StepContext) -> [Finding] {
    guard !step.isWarmup else { return [] }
    let bound = reports > Self.firstReports ? tuning[Self.warning] : .infinity
    let most = 2 * tuning[Self.growth]
    let affected = Set(
      ratios.filter { $0.ratio > Self.slack * bound || $0.growth ?? 0 >= most }.map(\.layer)
    ).sorted()
    guard !affected.isEmpty else { return [] }
    let measured = Set(ratios.map(\.layer)).sorted()
    return Grouping.scopes(of: affected, among: measured, step.anatomy).map { scope in
      let here = ratios.filter { scope.contains(layer: $0.layer) }
      let hasGrown = here.contains { $0.growth ?? 0 >= most }
      let isAbove = hasGrown || here.contains { $0.ratio > bound }
      return Finding(
        scope: scope,
        met: isAbove ? .warning : nil,
        held: .warning,
        isCertain: hasGrown
      )
    }
  }

  /// The upper median; 0 of nothing.
  private func middle(of values: [Double]) -> Double {
    values.isEmpty ? 0 : values.sorted()[values.count / 2]
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let isRun = finding.scope == .run
    let here = ratios.filter { finding.scope.contains(layer: $0.layer) }
    func value(of values: [Double]) -> Double {
      isRun ? middle(of: values) : values.max() ?? .nan
    }
    let ratio = value(of: here.map(\.ratio))
    let growth = value(of: here.compactMap(\.growth))
    let most = (isRun ? 1 : 2) * tuning[Self.growth]
    let isGrowth = growth >= most && ratio <= tuning[Self.warning]
    let worst = here.filter {
      isGrowth ? $0.growth ?? 0 >= Self.slack * growth : $0.ratio >= Self.slack * ratio
    }
    let steps = max(1, step.number &- (firstStep ?? 0))
    let place = isRun ? "in the median layer" : "in a few layers"
    let bound = tuning[finding.met == .critical ? Self.critical : Self.warning]
    return Diagnosis(
      summary: isGrowth
        ? "weights grew to \(text(growth)) times their first or recommended size, \(place), within \(steps) steps"
        : "updates are \(text(100 * ratio)) % of the weights a step, \(place), since step \(first)",
      cause: isRun
        ? "the learning rate is too high for these gradients"
        : "these layers' learning rate is too high, or their weights are far smaller than others",
      confidence: (0.7 + 0.1 * decimalLog(max(1, ratio / 0.1))).clamped(to: 0.7...0.95),
      evidence: Evidence(
        quantity: isGrowth
          ? "norm of weight / its first or recommended one"
            + (isRun ? ", median over the weights" : "")
          : "norm of update / norm of weight, median over the weights",
        observed: isGrowth ? growth : ratio,
        threshold: isGrowth ? most : bound,
        firstStep: step.number,
        lastStep: step.number,
        layers: step.anatomy.names(ofLayers: Set(worst.map(\.layer)).sorted()),
        facts: step.history.learningRate.map { ["learning_rate": text($0)] } ?? [:]
      ),
      remedies: Setting(step).largeUpdateRemedies(ratio: isGrowth ? growth / Double(steps) : ratio)
    )
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&reports)
    try coder.code(&firstStep)
    try coder.code(&grown)
    try coder.code(&medians)
  }
}
