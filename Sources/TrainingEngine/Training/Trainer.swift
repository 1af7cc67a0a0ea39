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

  private var optimizer: Optimizer<Float>
  private var batches: BatchSampler
  private var stepCount = 0
  private var lastLoss: Float?
  private var firstNonFiniteStep: Int?

  /// Makes the data and draws the network.
  ///
  /// Parameters and batch order come from the experiment's seed, each from a generator of its own;
  /// the data have their own seed.
  public init(_ experiment: Experiment, stepsAfterNonFiniteLoss: Int = 12) {
    var seeds = SeededGenerator(seed: experiment.seed)
    var parameterGenerator = SeededGenerator(seed: seeds.next())
    let dataset = experiment.data.makeDataset()
    self.experiment = experiment
    self.stepsAfterNonFiniteLoss = stepsAfterNonFiniteLoss
    network = Network(
      inputCount: dataset.featureCount,
      plan: experiment.layers,
      using: &parameterGenerator
    )
    optimizer = Optimizer(experiment.updateRule)
    batches = BatchSampler(dataset, batchSize: experiment.batchSize, seed: seeds.next())
  }

  /// Does the next update, or returns `nil` because the run is over.
  public mutating func next() -> TrainingStep? {
    guard stepCount < experiment.stepCount, !hasSeenEnoughNonFiniteSteps else { return nil }
    let batch = batches.next()
    let derivative = network.differentiate(
      experiment.loss,
      inputs: batch.inputs,
      targets: batch.targets
    )
    let before = network.parameters.map(\.value)
    optimizer.update(&network, with: derivative.gradients)
    defer { stepCount += 1 }
    lastLoss = derivative.loss
    if !derivative.loss.isFinite, firstNonFiniteStep == nil { firstNonFiniteStep = stepCount }
    return TrainingStep(
      index: stepCount,
      epoch: batches.epochsBegun - 1,
      loss: derivative.loss,
      learningRate: optimizer.rule.learningRate,
      batchSize: batch.inputs.rowCount,
      gradients: derivative.gradients,
      parametersBefore: before,
      parametersAfter: network.parameters.map(\.value),
      activations: derivative.activations
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
