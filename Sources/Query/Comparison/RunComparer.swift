import RunStore
import Telemetry

/// Reads two runs side by side, step by step, and finds where they part.
///
/// Time follows the number of steps and tensors, all of which are read. Memory does not follow the number
/// of steps: it is a page a series, about ``pageBudget`` points together, and the points of the answer.
public struct RunComparer: Sendable {
  /// The steps that one ``advance()`` reads at most.
  private static let stepsPerAdvance = 1024
  /// Points of all series in memory together: 16 bytes each.
  private static let pageBudget = 1 << 21
  /// The most names of losses that are followed.
  private static let mostLosses = 1024

  private let a: RunReader
  private let b: RunReader
  private let last: UInt64
  private var scalarsA: ScalarCursor
  private var scalarsB: ScalarCursor
  private var layers: [LayerTrack]
  private var lossNames: [String] = []
  private var losses: [String: LossTrack] = [:]
  private let options: ComparisonOptions
  private var result: RunComparison
  private var beginsAlike: Bool?

  /// Opens two runs.
  ///
  /// - Parameters:
  ///   - a: The one run and producer.
  ///   - b: The other one.
  ///   - options: What is compared.
  /// - Throws: ``QueryError/sameRun(_:_:)``, ``QueryError/noCommonTensor(_:_:)``,
  ///   ``QueryError/noCommonStep(_:_:)`` if one of them has no report in the range, or
  ///   ``QueryError/store(_:)``.
  public init(a: RunReader, b: RunReader, options: ComparisonOptions) throws(QueryError) {
    let (runA, runB) = (a.run.run, b.run.run)
    guard runA != runB || a.producer != b.producer else { throw .sameRun(runA, a.producer) }
    let pairs = LayerPair.all(
      a.model,
      b.model,
      metric: options.metric,
      selector: options.selector
    )
    guard !pairs.isEmpty else { throw .noCommonTensor(runA, runB) }
    guard let stepsA = a.steps(within: options.steps), let stepsB = b.steps(within: options.steps)
    else { throw .noCommonStep(runA, runB) }
    self.a = a
    self.b = b
    self.options = options
    scalarsA = ScalarCursor(stepsA)
    scalarsB = ScalarCursor(stepsB)
    last = max(stepsA.upperBound, stepsB.upperBound)
    guard let firstA = try scalarsA.peek(from: a)?.step,
      let firstB = try scalarsB.peek(from: b)?.step
    else { throw .noCommonStep(runA, runB) }
    let steps = min(firstA, firstB)...last
    let compared = pairs.prefix(options.maximumLayers)
    let series = compared.reduce(0) { $0 + $1.subjectsA.count + $1.subjectsB.count }
    let pageSize = min(max(Self.pageBudget / max(series, 1), 256), 16_384)
    layers = compared.map {
      LayerTrack($0, a.model, b.model, options: options, steps: steps, pageSize: pageSize)
    }
    result = RunComparison(a: ComparedRun(a, beside: b.model), b: ComparedRun(b, beside: a.model))
    result.layerCount = compared.count
    result.omittedLayerCount = pairs.count - compared.count
  }

  /// Reads the next steps.
  ///
  /// - Returns: Whether there may be more.
  /// - Throws: ``QueryError/store(_:)`` if the store can't read.
  public mutating func advance() throws(QueryError) -> Bool {
    // Constants, so that the readers are not copied for every layer and step.
    let (a, b) = (a, b)
    for _ in 0..<Self.stepsPerAdvance {
      let nextA = try scalarsA.peek(from: a)
      let nextB = try scalarsB.peek(from: b)
      guard let step = [nextA?.step, nextB?.step].compactMap(\.self).min() else { return false }
      let atA = nextA?.step == step ? nextA : nil
      let atB = nextB?.step == step ? nextB : nil
      if atA != nil { scalarsA.take() }
      if atB != nil { scalarsB.take() }
      for index in layers.indices {
        try layers[index].read(
          step,
          last: last,
          a: a,
          b: b,
          isInA: atA != nil,
          isInB: atB != nil
        )
      }
      take(step, atA, atB)
    }
    return true
  }

  /// The answer, once ``advance()`` has returned false; the comparer is spent.
  ///
  /// - Returns: What differs as a whole, and the layers in forward order of run a.
  /// - Throws: ``QueryError/noCommonStep(_:_:)``, or ``QueryError/store(_:)`` if alerts can't be read.
  public consuming func finish() throws(QueryError) -> (RunComparison, [LayerComparison]) {
    guard result.commonStepCount > 0 else { throw .noCommonStep(a.run.run, b.run.run) }
    let finished = layers.map { $0.finish() }
    for name in lossNames {
      guard var track = losses[name] else { continue }
      track.detector.finish()
      result.losses.append(
        RunComparison.Loss(
          name: name,
          a: track.a,
          b: track.b,
          parting: track.detector.parting
        )
      )
    }
    result.partedLayerCount = finished.count { $0.parting != nil }
    result.firstParting = Self.first(of: finished)
    result.compareSettings(a.run, b.run)
    result.compareModels(a.model, b.model)
    result.rules = try RuleComparison.all(a, b)
    result.summary = result.verdict(metric: options.metric, beginsAlike: beginsAlike ?? true)
    return (result, finished)
  }

  /// Compares what was read of a step.
  private mutating func take(_ step: UInt64, _ atA: StepScalars?, _ atB: StepScalars?) {
    result.a.count(atA, isOwn: atB == nil)
    result.b.count(atB, isOwn: atA == nil)
    followLosses(step, atA, atB)
    guard let atA, let atB else { return }
    if result.commonStepCount == 0 { result.firstCommonStep = step }
    result.commonStepCount += 1
    result.lastCommonStep = step
    compareBits(step, atA, atB)
    result.compareStepSettings(atA, atB)
    if beginsAlike == nil { begin(atA, atB) }
    for loss in atA.losses {
      let other = atB.losses.first { $0.name == loss.name }
      losses[loss.name]?.detector.add(step: step, a: loss.value, b: other?.value)
    }
    // A step that a loss scaler skipped has NaN by design; and a metric that one run takes every ten
    // steps is not missing on the nine between.
    guard !atA.optimizerSkipped, !atB.optimizerSkipped, layers.contains(where: { $0.a != nil }),
      layers.contains(where: { $0.b != nil })
    else { return }
    for index in layers.indices { layers[index].judge(step) }
  }

  private mutating func followLosses(_ step: UInt64, _ atA: StepScalars?, _ atB: StepScalars?) {
    func add(_ loss: NamedLoss, isA: Bool) {
      if losses[loss.name] == nil {
        guard lossNames.count < Self.mostLosses else { return }
        lossNames.append(loss.name)
        var detector = PartingDetector(bound: options.bound, persistence: options.persistence)
        if beginsAlike == false { detector.beginApart() }
        losses[loss.name] = LossTrack(detector)
      }
      losses[loss.name]?.add(
        step: step,
        a: isA ? loss.value : nil,
        b: isA ? nil : loss.value
      )
    }
    for loss in atA?.losses ?? [] { add(loss, isA: true) }
    for loss in atB?.losses ?? [] { add(loss, isA: false) }
  }

  /// Decides, at the first common step, whether the runs begin alike, in everything that both measured.
  private mutating func begin(_ atA: StepScalars, _ atB: StepScalars) {
    var pairs = layers.map { ($0.a, $0.b) }
    for loss in atA.losses {
      pairs.append((loss.value, atB.losses.first { $0.name == loss.name }?.value))
    }
    let isAlike = pairs.allSatisfy { a, b in
      guard let a, let b, a.isFinite, b.isFinite else { return true }
      return LogRatio.of(a, b).magnitude <= PartingDetector.alikeLogRatio
    }
    beginsAlike = isAlike
    guard !isAlike else { return }
    for index in layers.indices { layers[index].detector.beginApart() }
    for name in lossNames { losses[name]?.detector.beginApart() }
  }

  private mutating func compareBits(_ step: UInt64, _ atA: StepScalars, _ atB: StepScalars) {
    guard result.firstDifferenceStep == nil else { return }
    var names: [String] = []
    for name in Set((atA.losses + atB.losses).map(\.name)).sorted() {
      let a = atA.losses.first { $0.name == name }?.value.bitPattern
      let b = atB.losses.first { $0.name == name }?.value.bitPattern
      if a != b { names.append(name) }
    }
    for layer in layers where !layer.differences.isEmpty { names += layer.differences }
    guard !names.isEmpty else {
      result.identicalUntilStep = step
      return
    }
    result.firstDifferenceStep = step
    result.firstDifferences = Array(names.prefix(RunComparison.mostFirstDifferences))
  }

  /// The layer that parts first; of several at one step the one that is furthest apart, and of equal ones
  /// the last: what is not finite spreads backwards.
  private static func first(of layers: [LayerComparison]) -> RunComparison.PartedLayer? {
    var found: RunComparison.PartedLayer?
    for layer in layers {
      guard let parting = layer.parting else { continue }
      if let known = found?.parting,
        (parting.step, -parting.distance) > (known.step, -known.distance)
      {
        continue
      }
      found = RunComparison.PartedLayer(name: layer.name, parting: parting)
    }
    return found
  }
}

extension ComparedRun {
  /// Counts a step, if this run has it.
  fileprivate mutating func count(_ scalars: StepScalars?, isOwn: Bool) {
    guard let scalars else { return }
    stepCount += 1
    if isOwn { ownStepCount += 1 }
    lastStep = scalars.step
  }
}
