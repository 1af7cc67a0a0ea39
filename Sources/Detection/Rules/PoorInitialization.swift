import Telemetry

/// The first weights make the signal grow or shrink by orders of magnitude: R9.
///
/// A layer multiplies the mean square of its inputs by fan-in times the weights' mean square (half
/// of it behind a ReLU: He, arXiv 1502.01852), and a plain net by the product over its layers. It
/// is the mean square that counts, not the variance: U(4,5) has a small variance and multiplies by
/// 152 times what it should. Normalization and skip connections undo any product, so a net with them is judged
/// by its median layer alone, and if the loss feels it: outputs that are random and large make a loss as
/// large as their weights' part in it (weight times gradient), of which sound outputs have a tenth. A small
/// product alone is no fault, for the usual defaults shrink every layer a little (PyTorch's ReLU
/// nets: 1/6 each), and nets of a few such layers learn. The gradients of the first report must show it. Where
/// a thousandth of the signal is left, the product at which too large weights are critical, they vanish with
/// depth, or the head's weights get next to nothing beside its bias, because its inputs hardly depend on the
/// data. Where more is left they vanish by as many decades as the product has, twice what the weights
/// explain (a product is of squares): behind sigmoids such a start is what keeps the net from learning.
/// Units that all get the same gradient are copies of each other, and stay so.
/// Behind a layer that starts at exactly 0 on purpose (the gates of a residual branch, adaptive normalization,
/// a low-rank pair, the head) gradients are exactly 0, too, but only until its own gradient has moved it: then
/// the next report is judged. A start of zeros throughout passes no gradient to any of its weights, and stays.
/// Sound weights keep the mean square of inputs whose own is 1, and if no hidden layer's first outputs have
/// less than a million, the inputs are at fault: raw bytes have at most 255 squared, and times the largest
/// factor that is let pass that is a million. From there on one column (a raw time, an identifier) outweighs
/// all others. The first layer's gradients tell the same without activations: each sample adds its error
/// times the inputs to that of the weights, and the error alone to that of the bias. In healthy nets without
/// normalization the quotient is at most 100 inputs' mean squares.
struct PoorInitialization: Rule {
  static let id = RuleID("poor_initialization")
  static let summary = "The first weights make the signal grow or shrink by orders of magnitude"
  static let policy = AlertPolicy(.none, cleanEvaluations: 100)

  private static let warning = Threshold(
    "warning_decades",
    3,
    in: 0...300,
    "log10 of the product over the layers of mean square / recommended mean square; too small by as much "
      + "only if the gradients vanish by as many decades"
  )
  private static let critical = Threshold(
    "critical_decades",
    6,
    in: 0...300,
    "as above; each further decade is one of the loss, or half a one of the signal"
  )
  private static let layer = Threshold(
    "layer_factor",
    16,
    in: 1...1e9,
    "mean square / recommended in the median layer: four times the recommended deviation"
  )
  private static let criticalLayer = Threshold(
    "critical_layer_factor",
    100,
    in: 1...1e9,
    "as above; U(4, 5), whose regression is NaN at step 3, has 150"
  )
  static let thresholds = [warning, critical, layer, criticalLayer]
  /// Steps at which weights are still those of the initialization.
  private static let firstSteps: UInt64 = 10
  /// Decades between the signals of the first and the last layers that show a small product.
  private static let leastDrop: Float = 2
  /// A head whose inputs are a hundredth of the usual ones knows its bias only.
  private static let leastHeadShare = 0.01
  /// Fewer units may agree by chance; more agree only if they are copies (float32 has 1e-7).
  private static let leastUnits: UInt64 = 4
  private static let equalSpread: Float = 1e-4
  /// A layer with this share of the product's decades is the one to look at.
  private static let leastShare = 0.8
  /// Weight times gradient / loss from which on large first weights are felt behind a normalization.
  private static let leastPart = 0.5
  /// A bias that gets less than this of the next one's gradient is undone by what follows (a mean is taken
  /// off): then the quotient of weights and bias says nothing of the inputs.
  private static let leastBiasShare = 1e-3

  private let tuning: Tuning
  private var isJudged = false
  private var severity: Severity?
  private var fault = Fault.large
  private var decades = 0.0
  private var middle = 1.0
  private var judgedStep: UInt64 = 0
  /// The tensor that grows or shrinks the signal most, and by how many decades.
  private var worst: (tensor: UInt64, decades: Double) = (0, 0)

  /// What is wrong with the first weights.
  private enum Fault: UInt8 {
    case large = 1
    case small = 2
    case dead = 3
    case equal = 4
    case inputs = 5
  }

  init(_ anatomy: Anatomy, _ tuning: Tuning) { self.tuning = tuning }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    if !isJudged { judge(step) }
    guard let severity else { return [] }
    guard step.number > judgedStep + 2 * Self.firstSteps else {
      return [Finding(scope: .run, met: severity, held: severity)]
    }
    // What the first weights have ruined does not pass with the steps.
    let isRuined =
      !step.nonFiniteTensors.isEmpty || step.isGlobalNormNonFinite || step.loss?.isFinite == false
    return isRuined ? nil : []
  }

  private mutating func judge(_ step: StepContext) {
    guard step.number <= Self.firstSteps else {
      isJudged = true
      return
    }
    guard step.nonFiniteTensors.isEmpty, !step.hasSeveralLosses, !step.report.gradients.norm.isEmpty
    else { return }
    // Without a parameter norm there is nothing to judge; with one, once is enough: looking at a model's
    // layers takes a millisecond, which a thousand runs that begin together would each pay at ten steps.
    guard hidden(step).contains(where: { !step.parameterNorms[$0].isNaN }) else { return }
    isJudged = true
    let factors = self.factors(step)
    let isPlain = isPlain(step)
    let signal = max(leastSignal(step), inputSignal(step))
    let isFlooded = signal >= tuning[Self.critical]
    middle = factors.isEmpty ? 0 : power(10, factors.map(\.decades).sorted()[factors.count / 2])
    let isLarge = middle >= tuning[Self.layer] && (isPlain || isFelt(step))
    guard isPlain && !factors.isEmpty || hasZeroWeight(step) || isFlooded || isLarge else { return }
    let isDead = hasZeroWeight(step) && isHiddenSilent(step)
    judgedStep = step.number
    decades = isPlain ? factors.reduce(0) { $0 + $1.decades } : 0
    worst = factors.max { abs($0.decades) < abs($1.decades) } ?? (0, 0)
    if decades >= tuning[Self.warning] || isLarge {
      fault = .large
    } else if isFlooded {
      fault = .inputs
      decades = signal
    } else if isDead, isAboutToOpen(step) {
      // The next report tells whether gradients arrive then.
      isJudged = false
      return
    } else if isDead {
      fault = .dead
    } else if areUnitsEqual(step) {
      fault = .equal
    } else if isLost(step) {
      fault = .small
    } else {
      return
    }
    severity = isCertain ? .critical : .warning
  }

  /// Whether layers multiply the signal one after the other, and nothing undoes it.
  private func isPlain(_ step: StepContext) -> Bool {
    let setting = Setting(step)
    return setting.isNormalized != true && setting.isResidual != true
  }

  /// Whether the weights' part in the loss is about all of it, in the median layer.
  private func isFelt(_ step: StepContext) -> Bool {
    let signals = step.layerLogs.filter(\.isFinite).sorted()
    guard let loss = step.loss, loss.isFinite, !signals.isEmpty else { return false }
    return power(10, Double(signals[signals.count / 2])) >= Self.leastPart * abs(loss)
  }

  /// Whether the weights are so small that the first gradients show it.
  private func isLost(_ step: StepContext) -> Bool {
    guard decades <= -tuning[Self.warning] else { return false }
    let drop = drop(step)
    guard decades <= -tuning[Self.critical] else { return Double(drop) >= -decades }
    return drop >= Self.leastDrop || headShare(step) < Self.leastHeadShare
  }

  /// Whether training can't work, rather than begin badly.
  private var isCertain: Bool {
    // An optimizer that divides by the gradient's size may still learn something from the other columns.
    guard fault != .inputs else { return false }
    return abs(decades) >= tuning[Self.critical] || fault == .dead
      || fault == .large && decades != 0 && middle >= tuning[Self.criticalLayer]
  }

  /// Whether a hidden weight is exactly 0.
  private func hasZeroWeight(_ step: StepContext) -> Bool {
    hidden(step).contains { step.parameterNorms[$0] == 0 }
  }

  /// Whether a weight of exactly 0 gets a gradient, so that the first step lets others have theirs.
  private func isAboutToOpen(_ step: StepContext) -> Bool {
    step.anatomy.weights.contains { step.parameterNorms[$0] == 0 && step.norms[$0] > 0 }
  }

  /// Whether no hidden weight gets a gradient while the head does.
  private func isHiddenSilent(_ step: StepContext) -> Bool {
    hidden(step).allSatisfy { step.norms[$0] == 0 } && (step.globalNorm ?? 0) > 0
  }

  /// The weights of all layers but the last, as far as they are watched.
  private func hidden(_ step: StepContext) -> [Int] {
    let anatomy = step.anatomy
    return anatomy.weights.indices
      .filter { anatomy.slots[$0] + 1 < anatomy.weightLayers.count }
      .map { anatomy.weights[$0] }
      .filter(tuning.watches(tensor:))
  }

  /// Whether the units of half of the hidden layers all have the same gradient at their bias.
  private func areUnitsEqual(_ step: StepContext) -> Bool {
    let columns = step.report.gradients
    let ids = columns.tensorIDs
    guard columns.std.count == columns.norm.count, columns.mean.count == columns.norm.count
    else { return false }
    let model = step.anatomy.model
    let layers = Set(hidden(step).map { model.tensors[$0].layer })
    var (known, equal) = (0, 0)
    for position in columns.norm.indices {
      let tensor = ids.isEmpty ? position : Int(ids[position])
      guard tensor < model.tensors.count, model.tensors[tensor].role == .bias,
        model.tensors[tensor].elementCount >= Self.leastUnits,
        layers.contains(model.tensors[tensor].layer), columns.norm[position] > 0
      else { continue }
      known += 1
      if columns.std[position] < Self.equalSpread * abs(columns.mean[position]) { equal += 1 }
    }
    return equal > 0 && 2 * equal >= known
  }

  /// What the head's weights get beside its bias, both as shares of its output; 1 if not known.
  private func headShare(_ step: StepContext) -> Double {
    let model = step.anatomy.model
    guard let head = step.anatomy.weightLayers.last,
      let bias = model.tensors.firstIndex(where: { $0.layer == head && $0.role == .bias }),
      step.norms[bias] > 0, let signal = step.layerLogs.last, signal.isFinite
    else { return 1 }
    return power(10, Double(signal)) / Double(step.norms[bias])
  }

  /// For each hidden weight, log10 of its mean square divided by the recommended one.
  ///
  /// The last layer is left out: its scale is a matter of the loss, and often 0 on purpose.
  private func factors(_ step: StepContext) -> [(tensor: UInt64, decades: Double)] {
    let anatomy = step.anatomy
    return hidden(step).compactMap { tensor in
      let norm = Double(step.parameterNorms[tensor])
      guard anatomy.model.tensors[tensor].role != .recurrent, norm > 0, norm.isFinite,
        let fanIn = anatomy.fanIn(ofTensor: tensor)
      else { return nil }
      let elements = Double(anatomy.model.tensors[tensor].elementCount)
      let activation = anatomy.model.layers[Int(anatomy.model.tensors[tensor].layer)].activation
      let recommended = (Setting.isRectifier(activation) ? 2 : 1) / fanIn
      return (UInt64(tensor), decimalLog(norm * norm / elements / recommended))
    }
  }

  /// log10 of the smallest mean square of a hidden layer's outputs; minus infinity if none was measured, or
  /// normalization undoes it, or a recurrence, which multiplies its own outputs, may have made it.
  private func leastSignal(_ step: StepContext) -> Double {
    let columns = step.report.activations
    guard Setting(step).isNormalized != true, let last = step.anatomy.weightLayers.last,
      !step.anatomy.model.tensors.contains(where: { $0.role == .recurrent }),
      columns.mean.count == columns.std.count,
      columns.layerIDs.isEmpty || columns.layerIDs.count == columns.mean.count
    else { return -.infinity }
    var least = Double.infinity
    for position in columns.mean.indices {
      let layer = columns.layerIDs.isEmpty ? UInt32(position) : columns.layerIDs[position]
      let (mean, deviation) = (Double(columns.mean[position]), Double(columns.std[position]))
      guard layer < last, tuning.watches(layer: layer), mean.isFinite, deviation.isFinite
      else { continue }
      least = min(least, mean * mean + deviation * deviation)
    }
    return least > 0 && least < .infinity ? decimalLog(least) : -.infinity
  }

  /// log10 of the mean square of the first layer's inputs, by its gradients; minus infinity if these can't
  /// tell.
  private func inputSignal(_ step: StepContext) -> Double {
    let anatomy = step.anatomy
    guard Setting(step).isNormalized != true, let weight = anatomy.weights.first,
      anatomy.slots.last != 0, anatomy.positions(ofLayer: anatomy.weightLayers[0]).count == 1,
      tuning.watches(tensor: weight), let fanIn = anatomy.fanIn(ofTensor: weight),
      step.norms[weight] > 0
    else { return -.infinity }
    func bias(ofLayer layer: UInt32) -> Double? {
      anatomy.model.tensors.firstIndex { $0.layer == layer && $0.role == .bias }
        .map { Double(step.norms[$0]) }
    }
    guard let own = bias(ofLayer: anatomy.weightLayers[0]),
      let next = anatomy.weightLayers.dropFirst().lazy.compactMap(bias).first,
      own > Self.leastBiasShare * next
    else { return -.infinity }
    return 2 * decimalLog(Double(step.norms[weight]) / own) - decimalLog(fanIn)
  }

  /// Decades between the median signals of the last and the first quarter of the layers.
  private func drop(_ step: StepContext) -> Float {
    let known = step.layerLogs.filter(\.isFinite)
    // All gradients are exactly 0.
    guard !known.isEmpty else { return step.globalNorm == 0 ? .infinity : 0 }
    let quarter = max(1, known.count / 4)
    return known.suffix(quarter).sorted()[quarter / 2] - known.prefix(quarter).sorted()[quarter / 2]
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let culprit = culprit(step)
    let others = culprit.map { ", \(text(power(10, worst.decades))) times in \($0)" } ?? ""
    let product =
      "by \(text(abs(decades))) decades through the layers (mean square \(text(middle)) times the "
      + "recommended one in the median layer\(others))"
    let measure = measure
    let (summary, cause): (String, String) =
      switch fault {
      case .large:
        (
          decades == 0
            ? "the first weights have a mean square \(text(middle)) times the recommended one in the median layer"
            : "the first weights make the signal grow " + product,
          "weights are too large for their inputs"
        )
      case .small:
        (
          "the first weights make the signal shrink " + product,
          "weights are too small for their inputs"
        )
      case .dead:
        (
          "no hidden layer gets a gradient: weights are exactly 0",
          "a layer of zeros passes nothing on, in either direction"
        )
      case .equal:
        (
          "all units of a layer get the same gradient: they are copies of each other",
          "weights were initialized to one constant, so that units can never differ"
        )
      case .inputs:
        (
          "the first layers' inputs have a mean square of 10^\(text(decades)) and more",
          "inputs are not scaled: a raw time, an identifier or a count is among them"
        )
      }
    return Diagnosis(
      summary: summary,
      cause: cause,
      confidence: isCertain ? 0.95 : 0.8,
      evidence: Evidence(
        quantity: measure.quantity,
        observed: measure.observed,
        baseline: measure.usual,
        threshold: measure.threshold,
        firstStep: step.number,
        lastStep: step.number,
        layers: culprit.map { [$0] }
          ?? step.anatomy.names(ofLayers: step.anatomy.weightLayers.dropLast())
      ),
      remedies: fault == .inputs
        ? Setting.unscaledRemedies : Setting(step).initializationRemedies
    )
  }

  /// The layer that makes nearly all of a product by itself; `nil` if none does, or there is no other.
  private func culprit(_ step: StepContext) -> String? {
    guard fault == .large || fault == .small, step.anatomy.weightLayers.count > 2,
      worst.decades * decades > 0, abs(worst.decades) >= Self.leastShare * abs(decades),
      worst.tensor < UInt64(step.anatomy.model.tensors.count)
    else { return nil }
    return step.anatomy.name(ofLayer: step.anatomy.model.tensors[Int(worst.tensor)].layer)
  }

  /// What shows the fault, what is usual of it, and the bound that it has passed.
  private var measure: (quantity: String, observed: Double, usual: Double, threshold: Double) {
    let product = "log10 of the product over layers of mean square / recommended mean square"
    switch fault {
    case .inputs:
      let quantity = "log10 of the mean square of the first layers' inputs"
      return (quantity, decades, 0, tuning[Self.critical])
    case .large where decades < tuning[Self.warning]:
      let quantity = "mean square / recommended mean square, median over the layers"
      return (quantity, middle, 1, tuning[Self.layer])
    case .large: return (product, decades, 0, tuning[Self.warning])
    case .small, .dead, .equal:
      let isCritical = decades <= -tuning[Self.critical]
      return (product, decades, 0, -tuning[isCritical ? Self.critical : Self.warning])
    }
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&isJudged)
    try coder.code(&severity, placeholder: .info) { (coder, value) throws(SnapshotError) in
      try coder.code(&value)
    }
    try coder.code(&fault)
    try coder.code(&decades)
    try coder.code(&middle)
    try coder.code(&judgedStep)
    try coder.code(&worst.tensor)
    try coder.code(&worst.decades)
  }
}
