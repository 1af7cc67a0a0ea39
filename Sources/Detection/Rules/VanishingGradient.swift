import Telemetry

/// Gradients shrink from the last layers to the first ones: R1.
///
/// Within a block (a transformer's, a residual one) signals differ by decades, and all is well as
/// long as one of its layers gets the gradient: queries and keys have a hundredth of it by design.
/// So a block counts as its strongest layer; a plain layer is a block of its own. Of nets side by
/// side (an actor and its critic) only the deepest is looked at: no gradient passes from one to
/// another. Compared are the layers' signals (``StepContext/layerLogs``) in decades: the median of the
/// last quarter of the layers less that of the first one (the *drop*), and the regression's slope. 40
/// healthy runs keep their drop below 0.8, but for a linear net that leaves a start near 0 (1.5) and
/// the steps after a loss spike (1.7); a 4-layer sigmoid net that starts slowly has 0.6 to 1.6, a
/// 50-layer ReLU net with Xavier's weights 2.7, a collapsed transformer 6 to 15, a 20-layer sigmoid
/// net 10. A drop that is there because the last layers' signal has risen is no fault of the first
/// ones: what reaches them is about what it was. Nor is one of less than four decades that passes:
/// while the last layers find the mean of the targets, the first ones of an auto-encoder are of no
/// use, and get next to nothing. Layers whose gradient is exactly 0 (frozen, unused, an expert without
/// tokens) don't count, for underflow on the way down leaves layers that are tiny but not 0.
struct VanishingGradient: Rule {
  static let id = RuleID("vanishing_gradient")
  static let summary = "Gradients shrink by two decades and more from the last layers to the first"
  static let policy = AlertPolicy(.init(hits: 8, window: 10), cleanEvaluations: 20)

  private static let infoDrop = Threshold(
    "info_drop",
    0.6,
    in: 0...45,
    "decades; what a 4-layer sigmoid net shows that learns all the same"
  )
  private static let warningDrop = Threshold(
    "warning_drop",
    2,
    in: 0...45,
    "decades, on average too; the first layers move a hundred times slower than the last"
  )
  private static let criticalDrop = Threshold(
    "critical_drop",
    4,
    in: 0...45,
    "decades; the first layers stand still beside the last"
  )
  private static let learnedProgress = Threshold(
    "learned_progress",
    0.5,
    in: 0...1,
    "smoothed loss / first losses below which the net learns in spite of a drop"
  )
  static let thresholds = [infoDrop, warningDrop, criticalDrop, learnedProgress]
  /// Decades a layer; the sigmoid's bound of 0.25 is 0.6 decades.
  private static let infoSlope = 0.2
  /// Clears at this share of the bound.
  private static let clearShare: Float = 0.7
  /// Below this the first layers' norm is lost in float32 beside any weight (a bound of practice).
  private static let lostNorm: Float = 1e-7
  /// Gradients cross fewer than three layers by so few factors that a profile means nothing.
  private static let leastLayers = 3
  /// Up to so many layers a quarter is one layer, and the first one alone must not decide.
  ///
  /// Its gradient also scales with the inputs. A block's first layer does not decide for the block.
  private static let shallow = 8
  /// Decades by which the drop must have shrunk lately to count as recovering: zero-initialized
  /// branches, LoRA and slow starts do so by themselves.
  private static let recovery = 0.2
  /// The share of the drop from which on it is the last layers' rise, and not what the first ones lost.
  private static let mostRisen: Float = 0.5
  /// Evaluations that ``firstTop`` is the mean of.
  private static let firstEvaluations: UInt64 = 10

  private let tuning: Tuning
  /// Averages of drop and slope over about 5 evaluations, and of the drop over about 16.
  private var fastDrop = 0.0
  private var fastSlope = 0.0
  /// As ``fastDrop``, of drops up to twice the mildest bound: so that it forgets a cliff at once.
  private var mildDrop = 0.0
  private var slowDrop = 0.0
  /// The mean signal of the last layers over the first evaluations, in decades.
  private var firstTop = 0.0
  /// The last layers' signal less ``firstTop``; 0 if it fell.
  private var rise: Float = 0
  private var evaluations: UInt64 = 0
  private var drop: Float = 0
  /// The drop, unless it is the first layer's alone.
  private var spreadDrop: Float = 0
  private var slope: Float = 0
  private var recent = Recent()
  /// For each block with a gradient, the places of its first and last layer in
  /// ``Anatomy/weightLayers``, its log, and room to sort; not stored.
  private var places: [ClosedRange<Int>] = []
  private var logs: [Float] = []
  private var scratch: [Float] = []

  init(_ anatomy: Anatomy, _ tuning: Tuning) { self.tuning = tuning }

  mutating func arm() { evaluations = 0 }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    guard !step.isSkipped, step.nonFiniteTensors.isEmpty,
      step.anatomy.chain.count >= Self.leastLayers
    else { return nil }
    collect(step, byBlock: true)
    // A model that is all one block is wrapped in a numbered module; then its layers are compared.
    if logs.count < 2 { collect(step, byBlock: false) }
    let layerCount = step.layerLogs[step.anatomy.chain].count { $0.isFinite }
    guard logs.count >= 2, layerCount >= Self.leastLayers else { return nil }
    measure()
    recent.append(step: step.number, Double(drop))
    guard max(drop, Float(mildDrop)) >= Self.clearShare * bound(Self.infoDrop) else { return [] }
    let met = severity(step)
    guard let held = met ?? heldSeverity else { return [] }
    return [
      Finding(scope: .layers(affected(step)), met: met, held: max(held, heldSeverity ?? held))
    ]
  }

  private mutating func collect(_ step: StepContext, byBlock: Bool) {
    places.removeAll(keepingCapacity: true)
    logs.removeAll(keepingCapacity: true)
    let anatomy = step.anatomy
    var block = -1
    for place in anatomy.chain where step.layerLogs[place].isFinite {
      let log = step.layerLogs[place]
      let own = anatomy.blocks[Int(anatomy.weightLayers[place])]
      if byBlock, own == block, let last = places.last {
        places[places.count - 1] = last.lowerBound...place
        logs[logs.count - 1] = max(logs[logs.count - 1], log)
      } else {
        places.append(place...place)
        logs.append(log)
      }
      block = own
    }
  }

  private mutating func measure() {
    let count = logs.count
    let quarter = max(1, count / 4)
    let last = median(count - quarter..<count)
    drop = last - median(0..<quarter)
    // The drop that is left without the first layer must be half of the whole at least.
    spreadDrop =
      count < Self.shallow && places[0].count == 1
      ? min(drop, 2 * max(0, last - median(1..<1 + quarter))) : drop
    let middle = Float(count - 1) / 2
    var (products, squares): (Float, Float) = (0, 0)
    for index in 0..<count {
      products += (Float(index) - middle) * logs[index]
      squares += (Float(index) - middle) * (Float(index) - middle)
    }
    slope = squares > 0 ? products / squares : 0
    evaluations &+= 1
    let isFirst = evaluations == 1
    if isFirst { firstTop = 0 }
    if evaluations <= Self.firstEvaluations {
      firstTop += (Double(last) - firstTop) / Double(evaluations)
    }
    rise = max(0, last - Float(firstTop))
    fastDrop += (isFirst ? 1 : 0.2) * (Double(drop) - fastDrop)
    mildDrop += (isFirst ? 1 : 0.2) * (Double(min(drop, 2 * bound(Self.infoDrop))) - mildDrop)
    fastSlope += (isFirst ? 1 : 0.2) * (Double(slope) - fastSlope)
    slowDrop += (isFirst ? 1 : 0.06) * (Double(drop) - slowDrop)
  }

  /// The median of some of the logs.
  private mutating func median(_ range: Range<Int>) -> Float {
    guard range.count > 1 else { return logs[range.lowerBound] }
    scratch.removeAll(keepingCapacity: true)
    scratch.append(contentsOf: logs[range])
    scratch.sort()
    return scratch[scratch.count / 2]
  }

  private func severity(_ step: StepContext) -> Severity? {
    if spreadDrop < bound(Self.warningDrop) {
      // Smoothed, because a small net's drop swings by half a decade from batch to batch.
      return mildDrop >= tuning[Self.infoDrop] && fastSlope >= Self.infoSlope ? .info : nil
    }
    // Two nets in a game are no chain: the gradient of one is not what is left of the other's. And
    // weights that an explosion left behind pass nothing on; the explosion is the fault.
    if fastDrop < slowDrop - Self.recovery || step.hasSeveralLosses
      || rise >= Self.mostRisen * spreadDrop
      || step.symptoms.containsAny(of: [ExplodingGradient.id])
    {
      return .info
    }
    if spreadDrop >= bound(Self.criticalDrop) || isFirstLost(step) { return .critical }
    let hasLearned = step.history.loss.progress.map { $0 < tuning[Self.learnedProgress] } ?? false
    let isPassing = slowDrop < tuning[Self.warningDrop]
    return hasLearned || isPassing ? .info : .warning
  }

  private func bound(_ threshold: Threshold) -> Float { Float(tuning[threshold]) }

  /// Whether the first layer's gradient is too small to change float32 weights.
  private func isFirstLost(_ step: StepContext) -> Bool {
    let anatomy = step.anatomy
    return anatomy.weights.indices.filter { places[0].contains(anatomy.slots[$0]) }.allSatisfy {
      !(step.norms[anatomy.weights[$0]] >= Self.lostNorm)
    }
  }

  /// The highest severity whose bound is still passed by ``clearShare``.
  private var heldSeverity: Severity? {
    if spreadDrop >= Self.clearShare * bound(Self.criticalDrop) { return .critical }
    if spreadDrop >= Self.clearShare * bound(Self.warningDrop) { return .warning }
    return mildDrop >= Double(Self.clearShare * bound(Self.infoDrop)) ? .info : nil
  }

  /// From the first layer as far as more layers than not are half of the drop below the last ones.
  private func affected(_ step: StepContext) -> ClosedRange<UInt32> {
    let quarter = max(1, logs.count / 4)
    let top = logs[(logs.count - quarter)...].max() ?? 0
    var (balance, end) = (0, 0)
    for (index, log) in logs.enumerated() {
      balance += log < top - drop / 2 ? 1 : -1
      if balance < 0 { break }
      if log < top - drop / 2 { end = index }
    }
    let layers = step.anatomy.weightLayers
    return layers[places[0].lowerBound]...layers[places[end].upperBound]
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    guard case .layers(let range) = finding.scope, let top = places.last?.upperBound else {
      return Diagnosis(
        summary: "",
        cause: "",
        confidence: 0,
        evidence: Evidence(quantity: "", observed: 0, firstStep: 0, lastStep: 0),
        remedies: []
      )
    }
    let setting = Setting(step, layers: range)
    let factor = power(10, -fastSlope)
    let layers = step.anatomy.weightLayers
    let isCertain = spreadDrop >= bound(Self.criticalDrop)
    return Diagnosis(
      summary: "gradients shrink by \(text(factor)) a layer from "
        + "\(step.anatomy.name(ofLayer: layers[top])) to "
        + "\(step.anatomy.name(ofLayer: range.lowerBound)), to \(text(power(10, -fastDrop))) in "
        + "all, since step \(first)",
      cause: cause(setting, factor: factor),
      // 0.6 at one decade, 0.95 from four on.
      confidence: isCertain ? 0.95 : (0.5 + 0.11 * Double(drop)).clamped(to: 0.5...0.95),
      evidence: Evidence(
        quantity: "decades between the signals of the last and of the first quarter of layers",
        observed: Double(drop),
        threshold: Double(
          finding.met == .critical
            ? bound(Self.criticalDrop)
            : finding.met == .info ? bound(Self.infoDrop) : bound(Self.warningDrop)
        ),
        firstStep: step.number,
        lastStep: step.number,
        recent: recent.points,
        layers: step.anatomy.names(ofLayers: layers.filter(range.contains)),
        facts: [
          "factor_per_layer": text(factor), "activation": setting.activation,
          "layers": "\(step.anatomy.chain.count)",
        ]
      ),
      remedies: setting.vanishingRemedies
    )
  }

  private func cause(_ setting: Setting, factor: Double) -> String {
    if setting.isInitializedSmall {
      return
        "the first weights were too small for their number of inputs: each layer shrinks the signal"
    }
    if setting.isSaturating {
      return factor <= 0.3
        ? "\(setting.activation) multiplies each gradient by at most 0.25 where it is steepest"
        : "\(setting.activation) saturates, where its slope is near 0"
    }
    if setting.isTransformer {
      return
        "the residual path does not carry the gradient: blocks collapsed, or normalization after "
        + "the sum"
    }
    return "each layer's Jacobian shrinks the gradient: initialization or missing normalization"
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&fastDrop)
    try coder.code(&fastSlope)
    try coder.code(&mildDrop)
    try coder.code(&slowDrop)
    try coder.code(&firstTop)
    try coder.code(&evaluations)
    try recent.code(&coder)
  }
}
