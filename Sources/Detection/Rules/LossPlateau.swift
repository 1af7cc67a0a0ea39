import Telemetry

/// The loss stays where it began: L4.
///
/// The loss alone does not tell a plateau from a slow start (seed article 002), so if nothing else
/// is wrong the rule waits for 160 reports without a hundredth of progress. Losses that vary so much that
/// they could hide a fall by a fifth say nothing (outliers, one sample a batch); and how high the loss is,
/// too, is asked of the mean that shows it flat, for among some hundred averages of a few noisy losses one
/// is high. Learning takes steps, and reports are only needed against the noise: where few steps are
/// reported, and the losses are so quiet that they can't hide a fall, 160 steps seen in 96 reports are
/// enough. Where another rule has found why nothing is learned, 48 are. A loss that has fallen to four fifths has learned something; where it
/// stands then is the data's business, unless it stands above half of its start and another rule says why.
struct LossPlateau: Rule {
  static let id = RuleID("loss_plateau")
  static let summary = "The loss does not fall, and is close to where it began"
  static let policy = AlertPolicy(.none, cleanEvaluations: 30)

  private static let level = Threshold(
    "least_level",
    0.8,
    in: 0...1e6,
    "smoothed loss / first losses above which next to nothing was learned"
  )
  private static let improvement = Threshold(
    "most_improvement",
    0.01,
    in: 0...1,
    "fall of the mean from one half of the window to the other, / first losses"
  )
  private static let patience = Threshold(
    "warning_reports",
    160,
    in: 16...256,
    "reports to look at if nothing else is wrong; slow starters begin within 120"
  )
  private static let quietReports = Threshold(
    "quiet_reports",
    96,
    in: 32...256,
    "reports to look at if their noise can't hide a fall and they span quiet_steps"
  )
  private static let quietSteps = Threshold(
    "quiet_steps",
    160,
    in: 0...1e9,
    "steps that so few reports must span"
  )
  private static let explained = Threshold(
    "explained_reports",
    48,
    in: 16...256,
    "reports to look at if another rule says why nothing is learned"
  )
  private static let explainedLevel = Threshold(
    "explained_level",
    0.5,
    in: 0...1e6,
    "least_level if another rule says why nothing is learned"
  )
  static let thresholds = [
    level, improvement, patience, quietReports, quietSteps, explained, explainedLevel,
  ]

  /// What keeps a net from learning, as other rules name it.
  private static let causes = [
    VanishingGradient.id, UniformlySmallGradient.id, DeadReLU.id, SaturatedActivation.id,
    RNNVanishingThroughTime.id, UpdateRatioTooLow.id,
  ]
  /// The share of a gradient that clipping leaves at which next to nothing arrives: two decades are gone.
  private static let leastLeft = 0.01
  /// A rise of the mean, / first losses, from which on the loss does not stay but rises.
  private static let mostRise = 0.1
  /// A fall from one half of the window to the other, / first losses, that noise must not hide if reports
  /// are few: at that pace it takes 800 steps and more to fall by a fifth.
  private static let leastFall = 0.02
  /// The same if they are many: it has learned something.
  private static let learnedFall = 0.2
  /// Standard errors by which the true fall may be larger than the one seen.
  private static let errors = 2.0
  /// Reports that make one mean, and means that are kept.
  private static let blockLength: UInt64 = 8
  private static let blockCount = 32

  private let tuning: Tuning
  /// The means of the last blocks, the newest at `(blocks - 1) % blockCount`.
  private var means: [Float] = Array(repeating: 0, count: blockCount)
  private var blocks: UInt64 = 0
  private var sum = 0.0
  private var samples: UInt64 = 0
  private var fall = 0.0

  init(_ anatomy: Anatomy, _ tuning: Tuning) { self.tuning = tuning }

  mutating func arm() { (blocks, sum, samples) = (0, 0, 0) }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    let history = step.history
    guard !step.isSkipped, !step.hasSeveralLosses, let loss = step.loss,
      loss.isFinite, history.loss.hasLogScale
    else { return nil }
    // Before the rate is there, nothing can be learned.
    if step.isWarmup || history.learningRate == 0 { arm() }
    sum += loss
    samples &+= 1
    if samples % Self.blockLength == 0 {
      means[Int(blocks % UInt64(Self.blockCount))] = Float(sum / Double(Self.blockLength))
      blocks &+= 1
      sum = 0
    }
    guard let progress = history.loss.progress else { return nil }
    let isExplained = step.symptoms.containsAny(of: Self.causes)
    let isHigh = progress >= tuning[Self.level]
    guard isHigh || isExplained && progress >= tuning[Self.explainedLevel] else { return [] }
    let initial = history.loss.initial
    let least = tuning[isExplained ? Self.explainedLevel : Self.level]
    let reports: Double? =
      if isHigh, isFlat(over: tuning[Self.patience], initial, hiding: Self.learnedFall) {
        tuning[Self.patience]
      } else if isHigh, isQuietlyFlat(history) {
        tuning[Self.quietReports]
      } else if isExplained || isClippedAway(step),
        isFlat(over: tuning[Self.explained], above: least, initial)
      {
        tuning[Self.explained]
      } else {
        nil
      }
    guard let reports else { return [Finding(scope: .run, met: nil, held: .warning)] }
    // The newest block may be some reports old.
    let flat = UInt64(reports) + samples % Self.blockLength
    return [Finding(scope: .run, met: .warning, held: .warning, reports: flat)]
  }

  /// Whether each step is clipped, and next to nothing is left of this one's gradient.
  ///
  /// A threshold that is far too low shows in a loss that is flat but high (seed article 000).
  private func isClippedAway(_ step: StepContext) -> Bool {
    guard step.symptoms.containsAny(of: [ClippingEveryStep.id]),
      let clipping = step.report.scalars.clipping, let norm = step.globalNorm
    else { return false }
    return clipping.kind == .globalNorm && clipping.threshold < Self.leastLeft * norm
  }

  /// Whether the newer half of the last `reports` has no lower mean than the older one, and stands above
  /// `level` of the first losses.
  private mutating func isFlat(over reports: Double, above level: Double, _ initial: Double) -> Bool
  {
    let half = max(1, Int(reports) / Int(2 * Self.blockLength))
    guard blocks >= UInt64(2 * half) else { return false }
    let newer = mean(from: 0, count: half)
    fall = (mean(from: half, count: half) - newer) / max(initial, 1e-300)
    // A loss that rises is another matter.
    return newer >= level * initial && fall < tuning[Self.improvement] && fall > -Self.mostRise
  }

  /// Whether the last `reports` are flat, and their noise can't hide a fall of `most` or more.
  private mutating func isFlat(over reports: Double, _ initial: Double, hiding most: Double) -> Bool
  {
    guard isFlat(over: reports, above: tuning[Self.level], initial) else { return false }
    let half = Int(reports) / Int(2 * Self.blockLength)
    // One block in each half tells nothing of its error.
    guard half >= 2 else { return true }
    // The error of a difference of two means, from how the blocks of either half vary.
    let variance = variance(from: half, count: half) + variance(from: 0, count: half)
    let error = (variance / Double(half)).squareRoot() / max(initial, 1e-300)
    return max(0, fall) + Self.errors * error < most
  }

  /// Whether few reports of many steps leave no room for a fall.
  ///
  /// Reports are as far apart as the nearest two of the last 20, so that a gap counts for one.
  private mutating func isQuietlyFlat(_ history: History) -> Bool {
    let reports = tuning[Self.quietReports]
    guard isFlat(over: reports, history.loss.initial, hiding: Self.leastFall) else { return false }
    let steps = history.recentLosses.points.map(\.step)
    let interval = zip(steps.dropFirst(), steps).map { $0 &- $1 }.min() ?? 0
    return Double(interval) * reports >= tuning[Self.quietSteps]
  }

  /// The sample variance of `count` blocks, at least 2, `back` blocks before the newest.
  private func variance(from back: Int, count: Int) -> Double {
    let middle = mean(from: back, count: count)
    return (back..<back + count).reduce(0) { sum, offset in
      let distance = mean(from: offset, count: 1) - middle
      return sum + distance * distance
    } / Double(count - 1)
  }

  /// The mean of `count` blocks, `back` blocks before the newest.
  private func mean(from back: Int, count: Int) -> Double {
    var total = 0.0
    for offset in back..<back + count {
      total += Double(
        means[
          (Int(blocks % UInt64(Self.blockCount)) + 2 * Self.blockCount - 1 - offset)
            % Self.blockCount
        ]
      )
    }
    return total / Double(count)
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let loss = step.history.loss
    let isExplained = step.symptoms.containsAny(of: Self.causes) || isClippedAway(step)
    let silent = silent(step)
    let tensors = step.anatomy.model.tensors
    return Diagnosis(
      summary: "the loss stays at \(text(loss.fast)), "
        + ((loss.progress ?? 1) < tuning[Self.level] ? "and began" : "where it began")
        + " at \(text(loss.initial))",
      cause: isExplained
        ? "another alert says why: the layers do not receive a useful gradient, or do not move"
        : !silent.isEmpty
          ? "\(tensors[silent[0]].name)"
            + (silent.count > 1 ? " and \(silent.count - 1) more have" : " has")
            + " no gradient, or one of exactly 0: see why before the labels, the loss function and the "
            + "data's order"
          : isBlindThroughTime(step)
            ? "gradients look healthy, but those through time were not sent, and the model is recurrent: "
              + "what lies long before the loss may be out of reach; else look at the labels, the loss "
              + "function and the data's order"
            : "gradients look healthy: look at the labels, the loss function and the data's order first",
      confidence: isExplained ? 0.9 : 0.7,
      evidence: Evidence(
        quantity: "smoothed loss / first losses",
        observed: loss.progress ?? .nan,
        baseline: 1,
        threshold: tuning[Self.level],
        firstStep: step.number,
        lastStep: step.number,
        recent: step.history.recentLosses.points,
        facts: ["fall": text(fall)]
      ),
      remedies: Setting(step).plateauRemedies(
        isExplained: isExplained,
        silent: silent.first.map { tensors[$0].name }
      )
    )
  }

  /// The trainable weights that have no gradient in this report, or one of exactly 0; none if it tells none at all.
  private func silent(_ step: StepContext) -> [Int] {
    guard !step.report.gradients.norm.isEmpty else { return [] }
    let tensors = step.anatomy.model.tensors
    return step.anatomy.weights.filter { tensor in
      tensors[tensor].isTrainable && tensors[tensor].tiedTo == nil
        && (step.norms[tensor] == 0 || step.norms[tensor].isNaN)
        && !step.nonFiniteTensors.contains(tensor)
    }
  }

  /// Whether a recurrent layer may forget without anybody seeing it.
  private func isBlindThroughTime(_ step: StepContext) -> Bool {
    step.report.timeStepNorms.isEmpty
      && step.anatomy.model.tensors.contains { $0.role == .recurrent }
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&means)
    try coder.code(&blocks)
    try coder.code(&sum)
    try coder.code(&samples)
    try coder.code(&fall)
  }
}
