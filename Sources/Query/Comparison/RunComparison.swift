/// What differs between two runs as a whole.
public struct RunComparison: Sendable {
  /// A text that differs; `nil`: that run has none.
  public struct Difference: Sendable, Hashable {
    /// What differs.
    public var name: String
    /// Run a's.
    public var a: String?
    /// Run b's.
    public var b: String?
  }

  /// A number of the step that differs, such as the learning rate.
  public struct StepDifference: Sendable, Hashable {
    /// The field of the report.
    public var name: String
    /// The first common step at which it differs.
    public var firstStep: UInt64
    /// Run a's at that step; `nil`: it does not say.
    public var a: Double?
    /// Run b's at that step; `nil`: it does not say.
    public var b: Double?
  }

  /// A loss in both runs.
  public struct Loss: Sendable {
    /// The loss's name.
    public var name: String
    /// Run a's course; `nil`: it has no such loss.
    public var a: LossCourse?
    /// Run b's course; `nil`: it has no such loss.
    public var b: LossCourse?
    /// Where they part; `nil`: nowhere.
    public var parting: Parting?
  }

  /// A layer, and where it parts.
  public struct PartedLayer: Sendable {
    /// The layer's name in run a.
    public var name: String
    /// Where.
    public var parting: Parting
  }

  /// The verdict in one or two sentences, without a full stop.
  public internal(set) var summary = ""
  /// Run a.
  public internal(set) var a: ComparedRun
  /// Run b.
  public internal(set) var b: ComparedRun
  /// The number of steps that both have.
  public internal(set) var commonStepCount: UInt64 = 0
  /// The first of them.
  public internal(set) var firstCommonStep: UInt64 = 0
  /// The last of them.
  public internal(set) var lastCommonStep: UInt64 = 0
  /// The last common step up to which all that was compared is the same bit for bit; `nil`: the first one
  /// differs.
  public internal(set) var identicalUntilStep: UInt64?
  /// The common step after that; `nil`: they are identical on all of them.
  public internal(set) var firstDifferenceStep: UInt64?
  /// What differs there: losses and tensors by name; at most ``mostFirstDifferences``.
  public internal(set) var firstDifferences: [String] = []
  /// The layer that parts first; `nil`: none does.
  public internal(set) var firstParting: PartedLayer?
  /// The number of layers that were compared.
  public internal(set) var layerCount = 0
  /// How many of them part.
  public internal(set) var partedLayerCount = 0
  /// Layers that were left out because there were too many.
  public internal(set) var omittedLayerCount = 0
  /// The losses, in the order in which they first appear.
  public internal(set) var losses: [Loss] = []
  /// Hyper-parameters that differ, by name.
  public internal(set) var hyperparameters: [Difference] = []
  /// Numbers of the step that differ.
  public internal(set) var stepSettings: [StepDifference] = []
  /// Properties that differ of layers and tensors that both have; at most ``mostNames``.
  public internal(set) var model: [Difference] = []
  /// Rules that fired in one of the runs or both, the earliest first.
  public internal(set) var rules: [RuleComparison] = []

  /// The most names of a list.
  public static let mostNames = 1000
  /// The most names of what differs first.
  public static let mostFirstDifferences = 16
}
