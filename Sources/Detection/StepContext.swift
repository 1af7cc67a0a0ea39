import Telemetry

/// One report as rules see it: unscaled, by tensor, beside the history up to it.
///
/// One value lives as long as its detector, so that a step allocates nothing.
struct StepContext: Sendable {
  /// The model's parts.
  let anatomy: Anatomy
  /// What was before this step.
  var history: History
  /// The report; after the step its columns are dropped.
  private(set) var report = StepReport(
    sequence: 0,
    scalars: StepScalars(step: 0, wallTime: WallTime(clamping: 0))
  )
  /// When the collector received it.
  private(set) var time = WallTime(clamping: 0)
  /// For each tensor, the norm of its unscaled gradient; NaN if it has none or no finite element.
  private(set) var norms: [Float]
  /// For each tensor, its parameter norm before the step; NaN if not measured.
  private(set) var parameterNorms: [Float]
  /// For each tensor, the norm of its update; NaN if not measured.
  private(set) var updateNorms: [Float]
  /// For each of ``Anatomy/weightLayers``, log10 of its signal: gradient norm times gain; NaN if it
  /// is 0 or not finite.
  ///
  /// Layers can't be compared by their gradients alone, which depend on width, on the scale of the
  /// inputs and on zero-initialized neighbours. But in a net that is homogeneous in its weights the
  /// inner product of weight and gradient is the same for all layers (Euler's theorem), whatever
  /// scales the loss. So the signal is about equal in healthy layers: within 0.8 decades from first
  /// to last in 40 healthy runs (sigmoid nets and starts near zero weights: 1.5), where root mean
  /// squares differ by up to 2.2 for their widths alone. Without parameter norms the gain is taken
  /// for 1, as sound initialization makes it.
  private(set) var layerLogs: [Float]
  /// For each tensor, how its gradient's magnitudes spread, by its histogram.
  private(set) var magnitudes: [MagnitudeProfile]
  /// The tensors with a NaN or infinite gradient element, in the report's order.
  private(set) var nonFiniteTensors: [Int] = []
  /// The finite global norm, unscaled; from the tensors if the report does not tell it.
  private(set) var globalNorm: Double?
  /// Whether the report's own global norm is NaN or infinite.
  private(set) var isGlobalNormNonFinite = false
  /// Whether gradients are comparable with parameters: unscaled, or scaled by a known factor.
  private(set) var isScaleKnown = true
  /// The rules that had a warning or worse firing before this step.
  private(set) var symptoms = Symptoms()
  /// Whether baselines were armed anew before this step.
  private(set) var isBreak = false

  /// Starts without any history.
  init(_ model: Model) {
    anatomy = Anatomy(model)
    let absent = [Float](repeating: .nan, count: model.tensors.count)
    history = History(tensorCount: model.tensors.count)
    norms = absent
    parameterNorms = absent
    updateNorms = absent
    magnitudes = []
    layerLogs = Array(repeating: .nan, count: anatomy.weightLayers.count)
  }

  /// The step.
  var number: UInt64 { report.scalars.step }
  /// The loss that is minimized.
  var loss: Double? { report.scalars.primaryLoss }
  /// Whether several losses are minimized, as by two nets in a game: one's fall is another's rise.
  var hasSeveralLosses: Bool { report.scalars.losses.count > 1 }
  /// Whether the optimizer skipped the step.
  var isSkipped: Bool { report.scalars.optimizerSkipped }
  /// Whether the learning rate is still rising, when norms change for good reasons.
  var isWarmup: Bool { report.scalars.phase == .warmup || history.isRateRising }

  /// Whether the batch changed, so that a loss before it means nothing.
  var isBatchBreak: Bool { history.isBatchBreak }

  /// The largest change of the loss from the last report to this one that the updates in between can make; `nil`
  /// if no update or gradient was measured.
  ///
  /// By the mean value theorem it is the gradient on the way times the way. At its ends the gradient is known,
  /// and a step over a minimum has the largest there.
  var explainedChange: Double? {
    guard let reach = history.reach, let before = history.lastNorm, let after = globalNorm,
      let last = history.recentLosses.points.last?.step
    else { return nil }
    return max(before, after) * reach * Double(max(1, number &- last))
  }

  /// Takes the next report apart.
  mutating func begin(_ report: StepReport, receivedAt time: WallTime, symptoms: Symptoms) {
    self.report = report
    self.symptoms = symptoms
    self.time = time
    let scale = report.scalars.lossScale ?? .nan
    let isScaled = report.scalars.gradientsAreScaled
    isScaleKnown = !isScaled || (scale.isFinite && scale > 0)
    let factor = isScaled && isScaleKnown ? Float(1 / scale) : 1
    let ids = report.gradients.tensorIDs
    Self.spread(report.gradients.norm, over: ids, times: factor, into: &norms)
    let parameters = report.parameters
    Self.spread(parameters.norm, over: parameters.tensorIDs, into: &parameterNorms)
    Self.spread(parameters.updateNorm, over: parameters.tensorIDs, into: &updateNorms)
    if let histograms = report.histograms {
      MagnitudeProfile.take(
        histograms,
        scale: isScaled && isScaleKnown ? scale : 1,
        tensorCount: anatomy.model.tensors.count,
        into: &magnitudes
      )
    }
    findNonFinite()
    takeGlobalNorm(times: Double(factor))
    isBreak = history.adopt(
      report.scalars,
      presentCount: report.gradients.norm.isEmpty ? nil : presentCount,
      receivedAt: time
    )
    history.adopt(parameterNorms: parameterNorms)
    takeLayerLogs()
  }

  /// Adds the step to the history.
  mutating func end() {
    // Taken out and put back, so that the history is changed in place while it reads the rest.
    var history = History(tensorCount: 0)
    swap(&history, &self.history)
    history.take(self)
    swap(&history, &self.history)
    report = StepReport(
      sequence: report.sequence,
      scalars: StepScalars(step: number, wallTime: time)
    )
  }

  /// Visits the stored values: the history, and the last step's number and time.
  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    var (number, sequence) = (report.scalars.step, report.sequence)
    try coder.code(&number)
    try coder.code(&sequence)
    try coder.code(&time)
    report = StepReport(sequence: sequence, scalars: StepScalars(step: number, wallTime: time))
    try history.code(&coder)
  }

  /// The number of tensors in the report's gradient columns.
  private var presentCount: UInt64 { UInt64(report.gradients.norm.count) }

  /// Lays a column out by tensor; a column of another length than its tensors counts as absent.
  private static func spread(
    _ column: [Float],
    over ids: [UInt32],
    times factor: Float = 1,
    into target: inout [Float]
  ) {
    if ids.isEmpty, column.count == target.count {
      for index in target.indices { target[index] = column[index] * factor }
      return
    }
    for index in target.indices { target[index] = .nan }
    guard ids.count == column.count else { return }
    for (position, id) in ids.enumerated() where Int(id) < target.count {
      target[Int(id)] = column[position] * factor
    }
  }

  /// Finds the tensors with a NaN or infinite element, and takes their norms out of ``norms``.
  ///
  /// The counts decide where there are any. Else the norm itself does: it is NaN if no element was
  /// finite, and infinite if the client let it overflow.
  private mutating func findNonFinite() {
    nonFiniteTensors.removeAll(keepingCapacity: true)
    let columns = report.gradients
    let present = columns.tensorIDs.isEmpty ? norms.count : columns.tensorIDs.count
    let hasCounts =
      present > 0
      && (columns.nanCount.count == present || columns.positiveInfinityCount.count == present
        || columns.negativeInfinityCount.count == present)
    for position in 0..<present {
      let isBad =
        hasCounts
        ? columns.nanCount.isPositive(at: position, of: present)
          || columns.positiveInfinityCount.isPositive(at: position, of: present)
          || columns.negativeInfinityCount.isPositive(at: position, of: present)
        : columns.norm.count == present && !columns.norm[position].isFinite
      guard isBad else { continue }
      let tensor = columns.tensorIDs.isEmpty ? position : Int(columns.tensorIDs[position])
      guard tensor < norms.count else { continue }
      nonFiniteTensors.append(tensor)
      norms[tensor] = .nan
    }
  }

  private mutating func takeLayerLogs() {
    for index in layerLogs.indices { layerLogs[index] = .nan }
    var slot = -1
    var sum = 0.0
    for (position, tensor) in anatomy.weights.enumerated() {
      if anatomy.slots[position] != slot {
        closeLayer(slot, sum)
        slot = anatomy.slots[position]
        sum = 0
      }
      guard norms[tensor].isFinite else { continue }
      let size = history.sizes[tensor]
      let gain = size.isNaN ? 1 : Double(size) * Double(anatomy.gains[position])
      let signal = Double(norms[tensor]) * gain
      sum += signal * signal
    }
    closeLayer(slot, sum)
  }

  private mutating func closeLayer(_ slot: Int, _ sum: Double) {
    guard slot >= 0, sum > 0 else { return }
    layerLogs[slot] = Float(0.5 * decimalLog(sum))
  }

  private mutating func takeGlobalNorm(times factor: Double) {
    globalNorm = nil
    isGlobalNormNonFinite = false
    if let norm = report.scalars.globalNorm {
      isGlobalNormNonFinite = !norm.isFinite
      if norm.isFinite { globalNorm = norm * factor }
      return
    }
    guard nonFiniteTensors.isEmpty, !report.gradients.norm.isEmpty else { return }
    var sum = 0.0
    for norm in norms where norm.isFinite { sum += Double(norm) * Double(norm) }
    globalNorm = sum.squareRoot()
  }
}

extension [UInt64] {
  /// Whether this column is as long as it must be, and counts something at `position`.
  fileprivate func isPositive(at position: Int, of present: Int) -> Bool {
    count == present && self[position] > 0
  }
}
