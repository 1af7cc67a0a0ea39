import RunStore
import Telemetry

/// Reads two runs side by side, some steps at a time, and finds where they part.
///
/// Time follows the number of steps and tensors, all of which are read: a step is judged by those before it, and what the runs
/// differ in may come at any. Memory does not follow the number of steps: it is what is looked at at a time, about ``valueBudget``
/// values (or those of 256 steps, as chunks have them, if there are so many tensors that these are more), and the points of the answer.
public struct RunComparer: Sendable {
  /// The most steps that are looked at at a time.
  private static let mostSteps = 4096
  /// Values of all tensors that are looked at at a time: 16 bytes each, and as many again for layers of several.
  private static let valueBudget = 1 << 20

  private var a: RunSide
  private var b: RunSide
  private var layers: [LayerTrack]
  private var losses = LossTracks()
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
    let compared = pairs.prefix(options.maximumLayers)
    guard let firstA = try a.scalars(steps: stepsA, size: 1).first,
      let firstB = try b.scalars(steps: stepsB, size: 1).first
    else { throw .noCommonStep(runA, runB) }
    let series = compared.reduce(firstA.losses.count + firstB.losses.count) {
      $0 + $1.subjectsA.count + $1.subjectsB.count
    }
    let size = min(max(Self.valueBudget / max(series, 1), 256), Self.mostSteps)
    let points = Downsampler(
      steps: min(firstA.step, firstB.step)...max(stepsA.upperBound, stepsB.upperBound),
      maximumPoints: options.maximumPoints
    )
    func side(
      _ reader: RunReader,
      _ steps: ClosedRange<UInt64>,
      _ subjects: KeyPath<LayerPair, [UInt32]>
    ) -> RunSide {
      RunSide(
        reader,
        steps: steps,
        metric: options.metric,
        subjects: compared.map { $0[keyPath: subjects] },
        points: points,
        pageSize: size
      )
    }
    self.a = side(a, stepsA, \.subjectsA)
    self.b = side(b, stepsB, \.subjectsB)
    self.options = options
    let detector = PartingDetector(bound: options.bound, persistence: options.persistence)
    layers = compared.map { LayerTrack(pair: $0, detector: detector) }
    result = RunComparison(a: ComparedRun(a, beside: b.model), b: ComparedRun(b, beside: a.model))
    result.layerCount = compared.count
    result.omittedLayerCount = pairs.count - compared.count
  }

  /// Reads the next steps.
  ///
  /// - Returns: Whether there may be more.
  /// - Throws: ``QueryError/store(_:)`` if the store can't read.
  public mutating func advance() throws(QueryError) -> Bool {
    let ends = [try a.fill(), try b.fill()].compactMap(\.self)
    guard let end = ends.min() else { return false }
    try a.advance(through: end)
    try b.advance(through: end)
    let common = StepPair.common(a.steps, b.steps)
    count(common)
    if beginsAlike == nil, let first = common.first { begin(first) }
    losses.add(a, b, freshDetector)
    compareBits(common)
    for place in common { result.compareStepSettings(a.scalars[place.a], b.scalars[place.b]) }
    judgeLayers(common)
    return true
  }

  /// The answer, once ``advance()`` has returned false; the comparer is spent.
  ///
  /// - Returns: What differs as a whole, and the layers in forward order of run a.
  /// - Throws: ``QueryError/noCommonStep(_:_:)``, or ``QueryError/store(_:)`` if alerts can't be read.
  public consuming func finish() throws(QueryError) -> (RunComparison, [LayerComparison]) {
    let (readerA, readerB) = (a.reader, b.reader)
    guard result.commonStepCount > 0 else {
      throw .noCommonStep(readerA.run.run, readerB.run.run)
    }
    let finished = layers.indices.map { layers[$0].finish(a.layers[$0], b.layers[$0]) }
    result.losses = losses.finish()
    result.partedLayerCount = finished.count { $0.parting != nil }
    result.firstParting = Self.first(of: finished)
    result.compareSettings(readerA.run, readerB.run)
    result.compareModels(readerA.model, readerB.model)
    result.rules = try RuleComparison.all(readerA, readerB)
    result.summary = result.verdict(metric: options.metric, beginsAlike: beginsAlike ?? true)
    return (result, finished)
  }

  private mutating func count(_ common: [StepPair]) {
    result.a.count(a.steps, common: common.count)
    result.b.count(b.steps, common: common.count)
    guard let first = common.first, let last = common.last else { return }
    if result.commonStepCount == 0 { result.firstCommonStep = a.steps[first.a] }
    result.commonStepCount += UInt64(common.count)
    result.lastCommonStep = a.steps[last.a]
  }

  /// Decides, at the first common step, whether the runs begin alike, in everything that both measured.
  private mutating func begin(_ place: StepPair) {
    var pairs = zip(a.layers, b.layers).map { ($0.values[place.a], $1.values[place.b]) }
    let others = b.scalars[place.b].losses
    for loss in a.scalars[place.a].losses {
      pairs.append((loss.value, others.first { $0.name == loss.name }?.value))
    }
    let isAlike = pairs.allSatisfy { a, b in
      guard let a, let b, a.isFinite, b.isFinite else { return true }
      return LogRatio.of(a, b).magnitude <= PartingDetector.alikeLogRatio
    }
    beginsAlike = isAlike
    for index in layers.indices { layers[index].detector = freshDetector }
  }

  /// A detector that has seen nothing.
  private var freshDetector: PartingDetector {
    var detector = PartingDetector(bound: options.bound, persistence: options.persistence)
    if beginsAlike == false { detector.beginApart() }
    return detector
  }

  private mutating func compareBits(_ common: [StepPair]) {
    guard result.firstDifferenceStep == nil else { return }
    for place in common {
      var names: [String] = []
      let (lossesA, lossesB) = (a.scalars[place.a].losses, b.scalars[place.b].losses)
      if !lossesA.elementsEqual(
        lossesB,
        by: { $0.name == $1.name && $0.value.bitPattern == $1.value.bitPattern }
      ) {
        for name in Set((lossesA + lossesB).map(\.name)).sorted() {
          let a = lossesA.first { $0.name == name }?.value.bitPattern
          let b = lossesB.first { $0.name == name }?.value.bitPattern
          if a != b { names.append(name) }
        }
      }
      for index in layers.indices {
        names += layers[index].differences(a.layers[index], b.layers[index], at: place)
      }
      guard names.isEmpty else {
        result.firstDifferenceStep = a.steps[place.a]
        result.firstDifferences = Array(names.prefix(RunComparison.mostFirstDifferences))
        return
      }
      result.identicalUntilStep = a.steps[place.a]
    }
  }

  private mutating func judgeLayers(_ common: [StepPair]) {
    // A step that a loss scaler skipped has NaN by design; and a metric that one run takes every ten
    // steps is not missing on the nine between.
    let places = common.filter { place in
      !a.scalars[place.a].optimizerSkipped && !b.scalars[place.b].optimizerSkipped
        && a.isMeasured[place.a] && b.isMeasured[place.b]
    }
    for index in layers.indices {
      layers[index].judge(a.layers[index], b.layers[index], a.steps, at: places)
    }
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
  /// Counts steps, of which so many are in the other run too.
  fileprivate mutating func count(_ steps: [UInt64], common: Int) {
    stepCount += UInt64(steps.count)
    ownStepCount += UInt64(steps.count - common)
    lastStep = steps.last ?? lastStep
  }
}
