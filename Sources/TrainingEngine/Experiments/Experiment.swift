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
  /// The alerts that a collector should raise during the run.
  public var mustAlert: [ExpectedAlert]
  /// The alerts that it should not raise at any time, except for those in ``mustAlert``.
  public var mustNotAlert: [ExpectedAlert]
  /// The samples.
  public var data: DataPlan
  /// The layers, in forward order.
  public var layers: [LayerPlan]
  /// What is minimized.
  public var loss: LossFunction
  /// The optimizer.
  public var updateRule: UpdateRule
  /// The number of samples of one update.
  public var batchSize: Int
  /// The number of passes over the data.
  public var epochs: Int
  /// Gives the first parameters and the order of the samples.
  public var seed: UInt64

  /// The number of updates of the whole run; the last batch of an epoch may be a smaller one.
  public var stepCount: Int { epochs * ((data.count + batchSize - 1) / batchSize) }

  /// All experiments, by identifier.
  public static let all = [
    sigmoidMoons, reluMoons, explodingRegression, glorotTanhRegression,
  ]
}
