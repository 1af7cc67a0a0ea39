import Telemetry

/// A gradient has NaN or infinite elements: R4.
///
/// Gradients flow from the loss down, so the layer nearest the loss that is not finite, with a
/// clean one above it, is where the value arose (radixark/miles#2198 found the layer of a 744B run
/// so). A step that the optimizer skipped is a loss scaler at work: info, and a warning if it skips
/// three in a row after it had once found its scale, or more than 5 % of the last 200. The skips
/// before its first step that counted are its search for that scale, however high it starts.
struct NonFiniteGradient: Rule {
  static let id = RuleID("non_finite_gradient")
  static let summary = "A gradient has NaN or infinite elements"
  /// No debounce: one occurrence on a step that counted has already reached the weights.
  static let policy = AlertPolicy(.none, cleanEvaluations: 50)

  private static let skipsInRow = Threshold(
    "skips_in_row",
    3,
    in: 1...1000,
    "skips in a row at which a loss scaler that once worked does not find its scale again"
  )
  static let thresholds = [skipsInRow]
  /// Skips in a row at which even a scaler that starts too high should have found it: it halves its
  /// scale with every skip, and 2^24 is a high start.
  private static let skipsAtStart: UInt64 = 24
  /// 5 % of 200; scalers probe once in 2000 steps, so this is a hundred times too often.
  private static let skipsInWindow = 10

  private let tuning: Tuning
  /// Skipped steps since the first that counted, the last 200 as four windows.
  private var skips = [HitWindow(), HitWindow(), HitWindow(), HitWindow()]
  private var skipsNow: UInt64 = 0
  private var wasEverTaken = false

  init(_ anatomy: Anatomy, _ tuning: Tuning) { self.tuning = tuning }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    let isBad = !step.nonFiniteTensors.isEmpty || step.isGlobalNormNonFinite
    recordSkip(step.isSkipped && isBad)
    if !step.isSkipped, !step.report.gradients.norm.isEmpty || step.globalNorm != nil {
      wasEverTaken = true
    }
    guard isBad else {
      let isTold = step.globalNorm != nil || !step.report.gradients.norm.isEmpty
      // Clean gradients of NaN weights say nothing: the model is lost.
      return isTold && !hasNonFiniteParameter(step) ? [] : nil
    }
    let severity = step.isSkipped ? severityOfSkip : .critical
    return [Finding(scope: scope(of: step), met: severity, held: severity)]
  }

  private mutating func recordSkip(_ isSkip: Bool) {
    var carry = isSkip && wasEverTaken
    for index in skips.indices {
      let leaving = skips[index].count(inLast: 50) > skips[index].count(inLast: 49)
      skips[index].record(carry)
      carry = leaving
    }
    skipsNow = isSkip ? skipsNow &+ 1 : 0
  }

  private var severityOfSkip: Severity {
    let inWindow = skips.reduce(0) { $0 + $1.count(inLast: 50) }
    let limit = wasEverTaken ? UInt64(tuning[Self.skipsInRow]) : Self.skipsAtStart
    return skipsNow >= limit || (wasEverTaken && inWindow > Self.skipsInWindow) ? .warning : .info
  }

  private func hasNonFiniteParameter(_ step: StepContext) -> Bool {
    step.report.parameters.norm.contains { !$0.isFinite }
  }

  private func scope(of step: StepContext) -> AlertScope {
    let layers = step.nonFiniteTensors.map { step.anatomy.model.tensors[$0].layer }
    guard let first = layers.min(), let last = layers.max() else { return .run }
    return .layers(first...last)
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let model = step.anatomy.model
    let tensors = step.nonFiniteTensors.sorted {
      (model.tensors[$0].layer, $0) > (model.tensors[$1].layer, $1)
    }
    let counts = elementCounts(step.report.gradients)
    var facts = [
      "nan": "\(counts.nan)", "positive_infinity": "\(counts.positive)",
      "negative_infinity": "\(counts.negative)", "tensors": "\(tensors.count)",
      "optimizer_skipped": step.isSkipped ? "yes" : "no",
    ]
    var place = "the global gradient norm is not finite"
    var cause = "one gradient, or its square, is past the largest number of its type"
    if let nearest = tensors.first {
      let layer = model.tensors[nearest].layer
      let name = step.anatomy.name(ofLayer: layer)
      facts["origin"] = name
      facts["first_tensor"] = model.tensors[nearest].name
      place =
        "gradients of \(tensors.count) of \(model.tensors.count) tensors are not finite, "
        + "nearest to the loss \(model.tensors[nearest].name)"
      cause = causeText(origin: name, layer: layer, tensors: tensors, step)
    }
    return Diagnosis(
      summary: place + " at step \(step.number)"
        + (step.isSkipped ? "; the optimizer skipped the step" : ""),
      cause: cause,
      confidence: 1,
      evidence: Evidence(
        quantity: "global gradient norm",
        observed: step.report.scalars.globalNorm ?? .nan,
        baseline: step.history.lastNorm,
        firstStep: step.number,
        lastStep: step.number,
        recent: step.history.recentNorms.points,
        layers: step.anatomy.names(ofLayersOf: tensors),
        tensors: tensors.prefix(Evidence.maximumNames).map { model.tensors[$0].name },
        facts: facts
      ),
      remedies: step.isSkipped ? Self.skipRemedies : remedies(step)
    )
  }

  private func causeText(
    origin: String,
    layer: UInt32,
    tensors: [Int],
    _ step: StepContext
  ) -> String {
    if step.isSkipped { return "the loss scale was too high for this step's gradients" }
    if let loss = step.loss, !loss.isFinite {
      return "the loss itself is not finite, so nothing that flows from it is"
    }
    if hasNonFiniteParameter(step) {
      return "parameters are not finite already: an earlier update broke them"
    }
    let model = step.anatomy.model
    let isLast = layer == model.tensors.map(\.layer).max()
    if tensors.count == 1 {
      return "only this tensor is affected, so the value arose in what is particular to it: "
        + "a penalty or a norm of the parameter itself, or its layer's last operation"
    }
    return isLast
      ? "the layer nearest to the loss is affected: the value arose in the loss or in \(origin)"
      : "the layers nearer to the loss are clean: the value arose in the backward pass of \(origin)"
  }

  private func elementCounts(
    _ columns: GradientColumns
  )
    -> (nan: UInt64, positive: UInt64, negative: UInt64)
  {
    (
      columns.nanCount.reduce(0, &+), columns.positiveInfinityCount.reduce(0, &+),
      columns.negativeInfinityCount.reduce(0, &+)
    )
  }

  private func remedies(_ step: StepContext) -> [Remedy] {
    // Where the loss is not finite itself, no layer is the origin.
    let operations =
      step.loss?.isFinite == false
      ? Setting.badValueRemedy(step.number)
      : Remedy(
        action:
          "look at the operations of the layer named as origin: division, sqrt, log, norm at 0",
        reason: "their derivative is infinite there even if their value is not"
      )
    return [
      Setting.startAgainRemedy(before: step.number),
      operations,
      Remedy(
        action: "clip the global norm at 1.0, and skip steps whose norm is not finite",
        reason: "an overflow then costs one step instead of the run"
      ),
      Remedy(
        action: "lower the learning rate; use bfloat16 or loss scaling instead of bare float16",
        reason: "float16 ends at 65,504"
      ),
    ]
  }

  private static let skipRemedies = [
    Remedy(
      action: "nothing, as long as it is rare: the scaler halves its scale and goes on",
      reason: "a dynamic loss scale finds its limit by passing it"
    ),
    Remedy(
      action: "if it repeats, use bfloat16 or find the layer that overflows",
      reason: "a scale that falls again and again means that gradients really are not finite"
    ),
  ]

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    for index in skips.indices { try skips[index].code(&coder) }
    try coder.code(&skipsNow)
    try coder.code(&wasEverTaken)
  }
}
