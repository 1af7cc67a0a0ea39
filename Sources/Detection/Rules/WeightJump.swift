import Telemetry

/// A parameter's norm changes by far more than its own updates explain: a flipped bit, a bad
/// checkpoint, a write from elsewhere.
///
/// A norm can't change by more than the norm of the update. Between two reports there may be steps
/// that were not reported; each may have moved the weight four times as far as the larger of the two known.
struct WeightJump: Rule {
  static let id = RuleID("weight_jump")
  static let summary = "A parameter's norm jumps, and its updates do not explain it"
  static let policy = AlertPolicy(.none, cleanEvaluations: 50)

  private static let factor = Threshold(
    "critical_factor",
    4,
    in: 1...1e30,
    "norm / the one before, or its inverse, where the updates do not explain so large a change"
  )
  static let thresholds = [factor]
  /// How much farther than known updates unreported ones may have gone; what rounding adds to a known one.
  private static let unreportedFactor: Float = 4
  private static let roundingFactor: Float = 1.001
  /// Without update norms nothing is explained: only what no optimizer does in one step counts.
  private static let blindFactor: Float = 1000
  /// Changes below this share of the largest norm are noise of what began at 0; more so over several steps.
  private static let leastShare: Float = 1e-3
  private static let leastUnreportedShare: Float = 1e-2

  private let tuning: Tuning
  private var jumped: [(tensor: Int, before: Float, after: Float)] = []

  init(_ anatomy: Anatomy, _ tuning: Tuning) { self.tuning = tuning }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    guard !step.report.parameters.norm.isEmpty else { return nil }
    jumped.removeAll(keepingCapacity: true)
    // A lost model: NaN gradients explain NaN weights.
    let wasClean = !step.symptoms.containsAny(of: [NonFiniteGradient.id])
    if let last = step.history.measuredStep, wasClean {
      let steps = Float(max(1, step.number &- last))
      let factor = Float(tuning[Self.factor])
      let ids = step.report.parameters.tensorIDs
      lazy var told = Set(ids)
      let largest = step.history.sizes.reduce(Float(0)) { $1 > $0 ? $1 : $0 }
      for (tensor, norm) in step.parameterNorms.enumerated() where tuning.watches(tensor: tensor) {
        let before = step.history.measuredNorms[tensor]
        // A norm that the report does not tell is another matter than one that it tells to be NaN.
        guard before.isFinite, !norm.isNaN || ids.isEmpty || told.contains(UInt32(tensor))
        else { continue }
        if isJump(from: before, to: norm, tensor, step, steps: steps, factor: factor, largest) {
          jumped.append((tensor, before, norm))
        }
      }
    }
    let scopes = Grouping.scopes(ofTensors: jumped.map(\.tensor), step.anatomy)
    return scopes.map { Finding(scope: $0, met: .critical, held: .critical) }
  }

  private func isJump(
    from before: Float,
    to norm: Float,
    _ tensor: Int,
    _ step: StepContext,
    steps: Float,
    factor: Float,
    _ largest: Float
  ) -> Bool {
    let last = step.history.measuredUpdates[tensor]
    guard last.isFinite else {
      // An update that is not finite explains anything; an unknown one explains a lot.
      guard last.isNaN, step.updateNorms[tensor].isNaN, norm.isFinite, before > 0 else {
        return false
      }
      return norm > Self.blindFactor * before
    }
    guard norm.isFinite else { return true }
    // With steps in between, the later update tells of them too.
    let now = step.updateNorms[tensor].isFinite ? step.updateNorms[tensor] : 0
    let explained =
      steps > 1
      ? Self.unreportedFactor * steps * max(last, now) + Self.leastUnreportedShare * largest
      : Self.roundingFactor * last + Self.leastShare * largest
    return max(norm, before) > factor * min(norm, before) && abs(norm - before) > explained
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let model = step.anatomy.model
    let here = jumped.filter { finding.scope.contains(tensor: $0.tensor, in: model) }
    let largest = here.max { abs(log2($0)) < abs(log2($1)) }
    let name = largest.map { model.tensors[$0.tensor].name } ?? ""
    let (before, after) = (Double(largest?.before ?? .nan), Double(largest?.after ?? .nan))
    return Diagnosis(
      summary: "the norm of \(name) went from \(text(before)) to \(text(after)) at step "
        + "\(step.number)" + (here.count > 1 ? ", with \(here.count - 1) more" : ""),
      cause: here.count > 1
        ? "several parameters changed outside of the optimizer: a checkpoint of another run or "
          + "layout was loaded, or they were reset"
        : "one parameter changed outside of the optimizer: a flipped bit in memory, or a write "
          + "from elsewhere",
      confidence: 0.9,
      evidence: Evidence(
        quantity: "parameter norm",
        observed: after,
        baseline: before,
        threshold: before * tuning[Self.factor],
        firstStep: step.number,
        lastStep: step.number,
        layers: step.anatomy.names(ofLayersOf: here.map(\.tensor)),
        tensors: here.prefix(Evidence.maximumNames).map { model.tensors[$0.tensor].name }
      ),
      remedies: Setting.jumpRemedies
    )
  }

  private func log2(_ jump: (tensor: Int, before: Float, after: Float)) -> Double {
    guard jump.after.isFinite, jump.after > 0, jump.before > 0 else { return .infinity }
    return naturalLog(Double(jump.after) / Double(jump.before))
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {}
}
