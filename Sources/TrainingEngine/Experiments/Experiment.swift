/// One training run, declared: data, network, optimizer, and what should be seen.
///
/// Change a field of a copy for a variation, such as another seed.
public struct Experiment: Hashable, Sendable {
  /// The short identifier, such as `N1`.
  public var identifier: String
  /// The name to ask for it by, in kebab case, unique.
  public var name: String
  /// The title, for people.
  public var title: String
  /// Where the set-up comes from.
  public var source: String
  /// What the source says happens.
  public var sourceClaim: String
  /// What was seen here, and where that differs from what the source says.
  public var finding: String = ""
  /// The name of the experiment whose fault this one cures; `nil` if it stands alone.
  public var fixes: String?
  /// The alerts that a collector should raise during the run.
  public var mustAlert: [ExpectedAlert]
  /// The rules that may speak either way: consequences of a fault that are not certain to be seen.
  public var mayAlert: Set<String> = []
  /// The alerts that it should not raise at any time, except for those in ``mustAlert`` and ``mayAlert``.
  public var mustNotAlert: [ExpectedAlert]
  /// The samples.
  public var data: DataPlan
  /// The layers, in forward order.
  public var layers: [LayerPlan]
  /// What is minimized.
  public var loss: LossFunction
  /// What is added to the loss.
  public var penalties: Penalties = .none
  /// The optimizer.
  public var updateRule: UpdateRule
  /// How the learning rate changes.
  public var schedule: RateSchedule = .constant
  /// How gradients are limited before an update; `nil`: not at all.
  public var clipping: ClippingPlan?
  /// How the loss is scaled; `nil`: not at all.
  public var lossScaling: LossScaling?
  /// The number of samples of one micro-batch.
  public var batchSize: Int
  /// The number of micro-batches whose gradients are averaged for one update.
  public var accumulation: Int = 1
  /// The number of ranks, each with micro-batches of its own, whose gradients are averaged for one update.
  public var rankCount: Int = 1
  /// The layers that training does not change, by their names.
  public var frozenLayers: Set<String> = []
  /// What goes wrong on purpose.
  public var faults: [Fault] = []
  /// The number of passes over the data.
  public var epochs: Int
  /// Gives the first parameters and the order of the samples.
  public var seed: UInt64

  /// The number of updates of the whole run; the last batch of an epoch may be a smaller one.
  public var stepCount: Int {
    let batches = epochs * ((data.count + batchSize - 1) / max(batchSize, 1))
    return batches / max(accumulation * rankCount, 1)
  }

  /// The most epochs, ranks, and micro-batches of an update.
  private static let maximumCount = 1_000_000

  /// Throws ``TrainingError`` if a setting is out of its range.
  func check() throws(TrainingError) {
    guard (1...max(data.count, 1)).contains(batchSize) else {
      throw .setting(
        "batch size",
        expected: "1 to the \(data.count) samples",
        found: "\(batchSize)"
      )
    }
    // Products of these are numbers of steps.
    for (name, number) in [
      ("accumulation", accumulation), ("ranks", rankCount), ("epochs", epochs),
    ]
    where !(1...Self.maximumCount).contains(number) {
      throw .setting(name, expected: "1 to \(Self.maximumCount)", found: "\(number)")
    }
    try schedule.check()
    for fault in faults { try fault.check(data: data, loss: loss) }
    guard updateRule.learningRate.isFinite else {
      throw .setting(
        "learning rate",
        expected: "a finite number",
        found: "\(updateRule.learningRate)"
      )
    }
  }
}

extension Experiment {
  /// Declares a run of your own: plain training, without expectations.
  ///
  /// Everything else is a field. A ``Trainer`` says what does not fit.
  ///
  /// - Parameters:
  ///   - name: What the run is about.
  ///   - data: The samples, such as ``DataPlan/given(_:name:)``.
  ///   - layers: The layers, in forward order.
  ///   - loss: What is minimized.
  ///   - updateRule: The optimizer.
  ///   - batchSize: The number of samples of one micro-batch.
  ///   - epochs: The number of passes over the data.
  ///   - seed: Gives the first parameters and the order of the samples.
  public init(
    name: String,
    data: DataPlan,
    layers: [LayerPlan],
    loss: LossFunction,
    updateRule: UpdateRule,
    batchSize: Int,
    epochs: Int,
    seed: UInt64 = 1
  ) {
    self.init(
      identifier: name,
      name: name,
      title: name,
      source: "",
      sourceClaim: "",
      mustAlert: [],
      mustNotAlert: [],
      data: data,
      layers: layers,
      loss: loss,
      updateRule: updateRule,
      batchSize: batchSize,
      epochs: epochs,
      seed: seed
    )
  }
}
