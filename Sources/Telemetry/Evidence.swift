/// What a rule saw when it decided, kept with the alert.
///
/// All numbers are data: they may be NaN or infinite.
public struct Evidence: Hashable, Sendable {
  /// One step and what was measured there.
  public struct Point: Hashable, Sendable {
    /// The step.
    public var step: UInt64
    /// The quantity of ``Evidence/quantity``.
    public var value: Double

    /// Makes a point.
    public init(step: UInt64, value: Double) {
      self.step = step
      self.value = value
    }
  }

  /// What ``observed``, ``baseline``, ``threshold`` and ``recent`` measure, with its unit.
  public var quantity: String
  /// The value that decided.
  public var observed: Double
  /// What the value was before, or elsewhere; `nil` if the rule has no baseline.
  public var baseline: Double?
  /// The bound that was passed; `nil` if one occurrence is enough.
  public var threshold: Double?
  /// The first step at which the condition was seen.
  public var firstStep: UInt64
  /// The last step at which it was seen.
  public var lastStep: UInt64
  /// The last values up to the decision, oldest first; at most 20.
  public var recent: [Point]
  /// The names of the layers that are affected, in forward order; at most 64.
  public var layers: [String]
  /// The names of the tensors that are affected; at most 64.
  public var tensors: [String]
  /// Further facts by name, such as counts of NaN and of +Inf, as text.
  public var facts: [String: String]

  /// The most entries of ``recent``.
  public static let maximumRecent = 20
  /// The most entries of ``layers`` and of ``tensors``.
  public static let maximumNames = 64

  /// Makes evidence of one value at one step.
  public init(
    quantity: String,
    observed: Double,
    baseline: Double? = nil,
    threshold: Double? = nil,
    firstStep: UInt64,
    lastStep: UInt64,
    recent: [Point] = [],
    layers: [String] = [],
    tensors: [String] = [],
    facts: [String: String] = [:]
  ) {
    self.quantity = quantity
    self.observed = observed
    self.baseline = baseline
    self.threshold = threshold
    self.firstStep = firstStep
    self.lastStep = lastStep
    self.recent = recent
    self.layers = layers
    self.tensors = tensors
    self.facts = facts
  }
}
