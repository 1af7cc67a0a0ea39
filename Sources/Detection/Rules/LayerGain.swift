import Telemetry

/// How much larger the signal is at any layer than at the last one, whatever the scale of both.
///
/// ``StepContext/layerLogs`` says why that is about 1. Healthy nets of up to 50 layers stay below
/// 11, and single steps reach 270 where the last layer's gradient happens to cancel; a ReLU net
/// unrolled over 120 time steps has 75, a tanh net with weights 5 times too large 400.
struct LayerGain: Sendable {
  /// log10 of 30, three times what healthy nets keep up, and of 1000.
  static let warningLog: Float = 1.477
  static let criticalLog: Float = 3
  private static let clearLog: Float = 1.176

  /// log10 of the largest quotient at this step; 0 if it can't be told.
  private(set) var log: Float = 0
  /// Its place in ``Anatomy/weightLayers``.
  private(set) var place = 0
  /// The average of ``log`` over about 5 steps; `nil` before the first.
  private var usual: Double?

  /// The severity whose bound is passed, at this step and on average.
  var severity: Severity? {
    let value = min(log, Float(usual ?? 0))
    return value >= Self.criticalLog ? .critical : value >= Self.warningLog ? .warning : nil
  }

  /// Whether the clearing bound is still passed.
  var isHeld: Bool { max(log, Float(usual ?? 0)) >= Self.clearLog }

  /// Measures a step.
  mutating func take(_ step: StepContext) {
    log = 0
    // With several losses (a GAN's two nets, say) the layers do not share one backward pass.
    guard !step.hasSeveralLosses, let last = reference(step), last.isFinite, hasSizes(step)
    else { return }
    for (place, value) in step.layerLogs.enumerated() where value - last > log {
      if place == 0, isFirstAlone(step, last) { continue }
      (log, self.place) = (value - last, place)
    }
    usual = usual.map { $0 + 0.2 * (Double(log) - $0) } ?? Double(log)
  }

  /// The signal of the last layer, by which the others are judged.
  ///
  /// Of several layers with a single output each at the end at most one is the head: the others say how much something counts (the
  /// scores of graph attention), and get little. Then it is the one before them.
  private func reference(_ step: StepContext) -> Float? {
    let anatomy = step.anatomy
    let isHead = anatomy.slots.count < 2 || anatomy.gains.suffix(2) != [1, 1]
    let wide = isHead ? nil : anatomy.gains.lastIndex { $0 < 1 }
    return wide.map { step.layerLogs[anatomy.slots[$0]] } ?? step.layerLogs.last
  }

  /// Whether the first layer stands out alone, as it does if its inputs are not scaled.
  ///
  /// A recurrent layer has its own reason.
  private func isFirstAlone(_ step: StepContext, _ last: Float) -> Bool {
    let anatomy = step.anatomy
    guard step.layerLogs.count > 1, !(step.layerLogs[1] - last >= Self.clearLog) else {
      return false
    }
    return !anatomy.weights.indices.contains { position in
      anatomy.slots[position] == 0
        && anatomy.model.tensors[anatomy.weights[position]].role == .recurrent
    }
  }

  /// Visits the stored values.
  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&usual)
  }

  /// Whether gains are known: a gain of 1 is too far from the truth for this bound.
  private func hasSizes(_ step: StepContext) -> Bool {
    step.anatomy.weights.last.map { !step.history.sizes[$0].isNaN } ?? false
  }

  /// The layers around the largest one that are past the clearing bound too.
  func range(_ step: StepContext) -> ClosedRange<UInt32> {
    let bound = (reference(step) ?? 0) + Self.clearLog
    var (first, last) = (place, place)
    while first > 0, step.layerLogs[first - 1] >= bound { first -= 1 }
    while last + 1 < step.layerLogs.count, step.layerLogs[last + 1] >= bound { last += 1 }
    return step.anatomy.weightLayers[first]...step.anatomy.weightLayers[last]
  }
}
