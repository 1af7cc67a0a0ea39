/// Trains the network of an experiment, one optimizer update at a time.
///
/// Pull steps with ``next()``, in whatever loop, or let ``train(observers:)`` run to the end. The
/// same experiment gives the same bits, on the same machine. A trainer is a value: a copy is a
/// checkpoint.
public struct Trainer: IteratorProtocol, Sendable {
  /// What is trained.
  public let experiment: Experiment
  /// How many steps follow the first one whose loss is NaN or infinite, before the run ends.
  ///
  /// The labelled traces of the detectors go on for 12, enough to see how far NaN spreads.
  public let stepsAfterNonFiniteLoss: Int
  /// The network, as the last update left it.
  public private(set) var network: Network<Float>
  /// What the schedule's learning rate is multiplied by, from the next step on; 1 at first.
  public var rateFactor = 1.0
  /// How gradients are limited, from the next step on; at first the experiment's.
  public var clipping: ClippingPlan?

  private var optimizer: Optimizer<Float>
  private var batches: BatchSampler
  private var dropout: SeededGenerator
  private let frozen: Set<Int>
  private var lossScale: Double?
  private var goodSteps = 0
  private var stepCount = 0
  private var lastLoss: Float?
  private var firstNonFiniteStep: Int?

  /// Makes the data and draws the network.
  ///
  /// Parameters, batch order and dropout come from the experiment's seed, each from a generator of its own;
  /// the data have their own seed.
  ///
  /// - Throws: ``TrainingError`` if layers don't fit, a batch is larger than the data, or a setting is out of range; the caller mends
  ///   the experiment.
  public init(_ experiment: Experiment, stepsAfterNonFiniteLoss: Int = 12) throws(TrainingError) {
    try experiment.check()
    var seeds = SeededGenerator(seed: experiment.seed)
    var parameterGenerator = SeededGenerator(seed: seeds.next())
    let dataset = experiment.data.makeDataset()
    self.experiment = experiment
    self.stepsAfterNonFiniteLoss = stepsAfterNonFiniteLoss
    let network = try Network<Float>(
      inputShape: dataset.sampleShape,
      plan: experiment.layers,
      using: &parameterGenerator
    )
    try experiment.loss.check(output: network.outputShape, targets: dataset.targets.shape)
    self.network = network
    optimizer = Optimizer(experiment.updateRule)
    batches = BatchSampler(dataset, batchSize: experiment.batchSize, seed: seeds.next())
    dropout = SeededGenerator(seed: seeds.next())
    clipping = experiment.clipping
    lossScale = experiment.lossScaling?.initialScale
    frozen = Set(
      network.parameters.indices.filter { index in
        experiment.frozenLayers.contains(network.layers[network.parameters[index].layer].name)
      }
    )
  }

  /// The parameters that no update changes, by their index in ``Network/parameters``.
  public var frozenParameters: Set<Int> { frozen }

  /// Does the next update, or returns `nil` because the run is over.
  public mutating func next() -> TrainingStep? {
    guard stepCount < experiment.stepCount, !hasSeenEnoughNonFiniteSteps else { return nil }
    defer { stepCount += 1 }
    let index = stepCount
    let scale = lossScale
    var shares = (0..<experiment.rankCount).map { makeShare(rank: $0, step: index) }
    var gradients = shares.meanGradients
    // What does not train has no part in the norm that is clipped.
    for index in frozen {
      gradients[index] = NDArray(repeating: 0, shape: gradients[index].shape)
    }
    let isSkipped = scale.map { unscale(&gradients, $0) } ?? false
    if let scale, experiment.lossScaling?.reportsScaledGradients == false {
      shares = shares.map { $0.divided(by: Float(scale)) }
    }
    let applied = clipping.map { plan in
      let norm = gradients.globalNorm
      return plan.apply(&gradients, norm: norm, step: index)
    }
    let rate =
      experiment.updateRule.learningRate * experiment.schedule.factor(at: index) * rateFactor
    let before = network.parameters.map(\.value)
    if !isSkipped {
      optimizer.update(&network, with: gradients, learningRate: rate, frozen: frozen)
    }
    let loss = shares.reduce(0) { $0 + $1.loss } / Float(shares.count)
    lastLoss = loss
    if !loss.isFinite, firstNonFiniteStep == nil { firstNonFiniteStep = index }
    return TrainingStep(
      index: index,
      epoch: batches.epochsBegun - 1,
      loss: loss,
      learningRate: rate,
      phase: experiment.schedule.phase(at: index),
      batchSize: shares.reduce(0) { $0 + $1.sampleCount },
      shares: shares,
      clipping: applied,
      lossScale: scale,
      gradientsAreScaled: scale != nil && experiment.lossScaling?.reportsScaledGradients == true,
      isSkipped: isSkipped,
      parametersBefore: before,
      parametersAfter: network.parameters.map(\.value)
    )
  }

  /// Trains to the end, or until an observer asks to stop.
  ///
  /// Every observer sees every step, in order, also the one at which another asks to stop.
  ///
  /// - Parameter observers: Called after each update.
  /// - Returns: How it ended.
  /// - Throws: What an observer throws, at once.
  public mutating func train(observers: [TrainingObserver] = []) throws -> TrainingOutcome {
    while let step = next() {
      var isStopped = false
      for observer in observers where try observer(step) == .stop { isStopped = true }
      if isStopped { return outcome(.stoppedByObserver) }
    }
    return outcome(hasSeenEnoughNonFiniteSteps ? .nonFiniteLoss : .completed)
  }

  /// Takes the next micro-batches of a rank, and differentiates their mean loss.
  private mutating func makeShare(rank: Int, step: Int) -> TrainingStep.Share {
    var sums: [NDArray<Float>] = []
    var loss: Float = 0
    var sampleCount = 0
    var last: Derivative<Float>?
    let share = 1 / Float(experiment.accumulation)
    for _ in 0..<experiment.accumulation {
      var batch = batches.next()
      for fault in experiment.faults { fault.corrupt(&batch, rank: rank, step: step) }
      let derivative = network.differentiate(
        experiment.loss,
        inputs: batch.inputs,
        targets: batch.targets,
        penalties: experiment.penalties,
        factor: Float(lossScale ?? 1) * share,
        using: &dropout
      )
      if sums.isEmpty {
        sums = derivative.gradients
      } else {
        for index in sums.indices { sums[index].add(derivative.gradients[index]) }
      }
      loss += derivative.loss * share
      sampleCount += batch.inputs.rowCount
      last = derivative
    }
    for fault in experiment.faults { fault.corrupt(&sums, step: step) }
    if lossScale != nil { sums = sums.map { $0.map(LossScaling.limited) } }
    return TrainingStep.Share(
      loss: loss,
      gradients: sums,
      activations: last?.activations ?? [],
      timeStepNorms: last?.timeStepNorms ?? [],
      sampleCount: sampleCount
    )
  }

  /// Divides gradients by the loss scale, and adapts it.
  ///
  /// - Returns: Whether the step has to be skipped.
  private mutating func unscale(_ gradients: inout [NDArray<Float>], _ scale: Double) -> Bool {
    let factor = Float(1 / scale)
    let overflows = gradients.contains { $0.elements.contains { !$0.isFinite } }
    for index in gradients.indices { gradients[index] = gradients[index].map { $0 * factor } }
    goodSteps = overflows ? 0 : goodSteps + 1
    if overflows {
      lossScale = scale / 2
    } else if goodSteps == experiment.lossScaling?.growthInterval {
      lossScale = scale * 2
      goodSteps = 0
    }
    return overflows
  }

  private var hasSeenEnoughNonFiniteSteps: Bool {
    firstNonFiniteStep.map { stepCount > $0 + stepsAfterNonFiniteLoss } ?? false
  }

  private func outcome(_ reason: TrainingOutcome.Reason) -> TrainingOutcome {
    TrainingOutcome(
      reason: reason,
      stepCount: stepCount,
      lastLoss: lastLoss,
      firstNonFiniteStep: firstNonFiniteStep
    )
  }
}

extension [TrainingStep.Share] {
  /// The mean of all ranks' gradients: what an all-reduce gives each of them.
  fileprivate var meanGradients: [NDArray<Float>] {
    guard count > 1 else { return self[0].gradients }
    var sums = self[0].gradients
    for share in dropFirst() {
      for index in sums.indices { sums[index].add(share.gradients[index]) }
    }
    let part = 1 / Float(count)
    return sums.map { $0.map { $0 * part } }
  }
}

extension TrainingStep.Share {
  fileprivate func divided(by scale: Float) -> TrainingStep.Share {
    let factor = 1 / scale
    return TrainingStep.Share(
      loss: loss,
      gradients: gradients.map { $0.map { $0 * factor } },
      activations: activations,
      timeStepNorms: timeStepNorms.map { $0 * Double(factor) },
      sampleCount: sampleCount
    )
  }
}

extension Fault {
  /// Changes a batch that the fault is about.
  fileprivate func corrupt(
    _ batch: inout (inputs: NDArray<Float>, targets: NDArray<Float>),
    rank: Int,
    step: Int
  ) {
    switch self {
    case .scaledInputs(let factor, let steps) where steps.contains(step):
      batch.inputs = batch.inputs.map { $0 * Float(factor) }
    case .scaledTargets(let factor, let steps) where steps.contains(step):
      batch.targets = batch.targets.map { $0 * Float(factor) }
    case .nanInput(rank, let steps) where steps.contains(step):
      batch.inputs.elements[0] = .nan
    case .scaledInputs, .scaledTargets, .scaledGradients, .scaledElements, .nanInput: break
    }
  }

  /// Changes gradients that the fault is about.
  fileprivate func corrupt(_ gradients: inout [NDArray<Float>], step: Int) {
    switch self {
    case .scaledGradients(let factor, let steps) where steps.contains(step):
      gradients = gradients.map { $0.map { $0 * Float(factor) } }
    case .scaledElements(let factor, let every, let steps) where steps.contains(step):
      for index in gradients.indices {
        for place in stride(from: 0, to: gradients[index].count, by: every) {
          gradients[index].elements[place] *= Float(factor)
        }
      }
    case .scaledInputs, .scaledTargets, .scaledGradients, .scaledElements, .nanInput: break
    }
  }
}
