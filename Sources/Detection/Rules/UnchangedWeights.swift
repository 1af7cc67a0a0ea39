import Telemetry

/// Weights do not move although they have a gradient: R16.
///
/// The layer is missing from the optimizer, its update is lost, or the schedule ended too soon.
/// Frozen and unused parameters have no gradient, and a gradient far below all others gives an
/// update that float32 rounds away: these are no fault of the optimizer's. A gradient of exactly 0 is
/// told of as an info, for it may be meant so; where the loss does not fall either, a weight that nothing
/// reaches while others get a gradient is a likely cause, and worth a warning: once the loss is a plateau, or
/// as soon as for the others if most of the weights have had neither gradient nor update since the start.
/// Tensors without any gradient are frozen as a rule. But where most of those that are declared trainable
/// never had one, and layers among them report activations, so that they do run, the path back to them is cut.
/// SageMaker Debugger's bound of three steps alarms at the start of every warm-up.
struct UnchangedWeights: Rule {
  static let id = RuleID("unchanged_weights")
  static let summary = "Weights have a gradient and do not move"
  static let policy = AlertPolicy(.none, cleanEvaluations: 2)

  private static let reports = Threshold(
    "warning_reports",
    20,
    in: 1...1e6,
    "reports in a row with a gradient and without a change; rounding and skipped steps leave some"
  )
  private static let unused = Threshold(
    "unused_reports",
    50,
    in: 1...1e6,
    "reports in a row with a gradient of exactly 0 at which an info tells so"
  )
  static let thresholds = [reports, unused]
  /// Gradients below this share of the largest one may be lost to rounding.
  private static let leastShare: Float = 1e-4
  /// norm of update / norm of weight in the layer that moves most, below which rounding takes the
  /// rest: ten times float32's precision.
  private static let roundedRatio: Float = 1e-6
  private static let mostSeen: UInt64 = 1 << 24
  /// Smoothed loss / first losses above which nothing was learned yet, as for ``LossPlateau``.
  private static let leastLevel = 0.8
  /// The rules that say why a gradient is 0.
  private static let reasons = [DeadReLU.id, UniformlySmallGradient.id]

  private let tuning: Tuning
  /// For each tensor, reports in a row in which it had a gradient and stayed; with those in between that tell no
  /// updates if its norm is the same after them.
  private var still: [Float]
  /// For each tensor, reports in a row in which its gradient was exactly 0.
  private var silent: [Float]
  /// For each tensor, reports in a row in which it had no gradient.
  private var absent: [Float]
  /// Reports with gradients; counts of Float go no further than ``mostSeen``.
  private var seen: UInt64 = 0
  /// ``seen`` at the last report with updates.
  private var measured: UInt64 = 0

  init(_ anatomy: Anatomy, _ tuning: Tuning) {
    self.tuning = tuning
    still = Array(repeating: 0, count: anatomy.model.tensors.count)
    silent = still
    absent = still
  }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    guard !step.isSkipped, step.nonFiniteTensors.isEmpty else { return nil }
    takeGradients(step)
    guard !step.report.parameters.updateNorm.isEmpty else { return nil }
    let largest = step.norms.reduce(Float(0)) { $1 > $0 ? $1 : $0 }
    let model = step.anatomy.model
    var (moved, mostMoved) = (0, Float(0))
    let gap = Float(max(1, seen &- measured))
    measured = seen
    for (tensor, norm) in step.norms.enumerated() {
      let update = step.updateNorms[tensor]
      let size = step.parameterNorms[tensor]
      if update > 0 { moved += 1 }
      let ratio = update / size
      if ratio > mostMoved { mostMoved = ratio }
      let isStill = update == 0 && norm > Self.leastShare * largest
      let wasStill = still[tensor] > 0 && size == step.history.measuredNorms[tensor]
      still[tensor] = isStill ? still[tensor] + (wasStill ? gap : 1) : 0
    }
    // A net that has converged moves by less than float32 can hold.
    if moved > 0, mostMoved < Self.roundedRatio { return [] }
    let stuck = stuck(model)
    if !stuck.isEmpty, moved == 0 {
      return [finding(.run, .warning, of: stuck, still, model)]
    }
    let cut = stuck.isEmpty ? cutOff(step) : []
    guard stuck.isEmpty, cut.isEmpty else {
      let (faulty, counts) = cut.isEmpty ? (stuck, still) : (cut, absent)
      return Grouping.scopes(ofTensors: faulty, step.anatomy)
        .map { finding($0, .warning, of: faulty, counts, model) }
    }
    let quiet = Float(tuning[Self.unused])
    let unreached = unreached(step)
    let unused =
      unreached.isEmpty
      ? silent.indices.filter { silent[$0] >= quiet && isJudged($0, model) } : unreached
    let isBlamed =
      !unreached.isEmpty
      || largest > 0 && step.symptoms.containsAny(of: [LossPlateau.id])
        && !step.symptoms.containsAny(of: Self.reasons)
    let blamed = isBlamed ? unused.filter(step.anatomy.weights.contains) : []
    return Grouping.scopes(ofTensors: unused, step.anatomy).map { scope in
      let severity: Severity =
        blamed.contains { scope.contains(tensor: $0, in: model) } ? .warning : .info
      return finding(scope, severity, of: unused, silent, model)
    }
  }

  /// What is the case at a place, for as long as for all of its `tensors`.
  private func finding(
    _ scope: AlertScope,
    _ severity: Severity,
    of tensors: [Int],
    _ counts: [Float],
    _ model: Model
  ) -> Finding {
    let reports = tensors.filter { scope.contains(tensor: $0, in: model) }.map { counts[$0] }.min()
    return Finding(scope: scope, met: severity, held: severity, reports: UInt64(reports ?? 1))
  }

  /// Counts the gradients that are absent, or exactly 0.
  private mutating func takeGradients(_ step: StepContext) {
    guard !step.report.gradients.norm.isEmpty else { return }
    seen = min(seen &+ 1, Self.mostSeen)
    for (tensor, norm) in step.norms.enumerated() {
      absent[tensor] = norm.isNaN ? absent[tensor] + 1 : 0
      silent[tensor] = norm == 0 ? silent[tensor] + 1 : 0
    }
  }

  /// The tensors that had a gradient and stayed; while there are any, ``silent`` ones are not told of.
  private func stuck(_ model: Model) -> [Int] {
    let patience = Float(tuning[Self.reports])
    return still.indices.filter { still[$0] >= patience && isJudged($0, model) }
  }

  /// The weights without gradient or update since the start, if they are most of all and nothing else says
  /// why the loss does not fall.
  private func unreached(_ step: StepContext) -> [Int] {
    let model = step.anatomy.model
    guard Double(seen) >= tuning[Self.reports], (step.globalNorm ?? 0) > 0,
      let progress = step.history.loss.progress, progress >= Self.leastLevel,
      !step.symptoms.containsAny(of: Self.reasons)
    else { return [] }
    let judged = step.anatomy.weights.filter { isJudged($0, model) }
    let unreached = judged.filter { silent[$0] == Float(seen) && step.updateNorms[$0] == 0 }
    func size(_ tensors: [Int]) -> UInt64 {
      tensors.reduce(0) { $0 &+ model.tensors[$1].elementCount }
    }
    return size(unreached) > size(judged) / 2 ? unreached : []
  }

  /// The tensors that never had a gradient, if they are most of all and layers among theirs ran.
  private func cutOff(_ step: StepContext) -> [Int] {
    guard Double(seen) >= tuning[Self.reports] else { return [] }
    let model = step.anatomy.model
    let cut = absent.indices.filter { absent[$0] == Float(seen) && isJudged($0, model) }
    guard !cut.isEmpty, 2 * cut.count > absent.indices.count(where: { isJudged($0, model) }),
      let first = cut.map({ model.tensors[$0].layer }).min(),
      let last = cut.map({ model.tensors[$0].layer }).max()
    else { return [] }
    let columns = step.report.activations
    let ran =
      columns.layerIDs.isEmpty ? columns.mean.indices.map { UInt32($0) } : columns.layerIDs
    return ran.contains { (first...last).contains($0) } ? cut : []
  }

  private func isJudged(_ tensor: Int, _ model: Model) -> Bool {
    model.tensors[tensor].isTrainable && model.tensors[tensor].tiedTo == nil
      && tuning.watches(tensor: tensor)
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let model = step.anatomy.model
    let isUnused = stuck(model).isEmpty
    let isCut = isUnused && !cutOff(step).isEmpty
    let isEarly = isCut || isUnused && !unreached(step).isEmpty
    let counts = isCut ? absent : isUnused ? silent : still
    let bound = tuning[isUnused && !isEarly ? Self.unused : Self.reports]
    let tensors = counts.indices.filter { tensor in
      Double(counts[tensor]) >= bound && isJudged(tensor, model)
        && finding.scope.contains(tensor: tensor, in: model)
    }
    let names = tensors.prefix(Evidence.maximumNames).map { model.tensors[$0].name }
    let longest = Double(tensors.map { counts[$0] }.max() ?? 0)
    let rest = names.count > 1 ? " and \(tensors.count - 1) more" : ""
    return Diagnosis(
      summary: (names.first ?? "a weight") + rest
        + (isCut
          ? " never had a gradient in \(text(longest)) reports, though declared trainable"
          : isUnused
            ? " had a gradient of exactly 0 in the last \(text(longest)) reports"
            : " had a gradient and did not change in the last \(text(longest)) reports"),
      cause: isCut
        ? "no path leads back to them: their outputs are detached, or computed without gradients"
        : isUnused
          ? "the parameters are not used in the forward pass, or all that they feed is dead"
          : step.history.learningRate == 0
            ? "the learning rate is 0"
            : "the parameters are missing from the optimizer, or their step is multiplied by 0",
      confidence: isUnused ? 0.6 : 0.9,
      evidence: Evidence(
        quantity: isUnused
          ? "reports in a row without a gradient" : "reports in a row without a change",
        observed: longest,
        threshold: bound,
        firstStep: step.number,
        lastStep: step.number,
        layers: step.anatomy.names(ofLayersOf: tensors),
        tensors: names
      ),
      remedies: isUnused ? Setting.unusedRemedies : Setting.unchangedRemedies
    )
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&still)
    try coder.code(&silent)
    try coder.code(&absent)
    try coder.code(&seen)
    try coder.code(&measured)
  }
}
