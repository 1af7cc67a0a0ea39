/// How a step's gradients were clipped.
public struct Clipping: Hashable, Sendable {
  /// What the threshold bounds.
  ///
  /// The raw values are stored and go over the wire: they never change their meaning.
  public enum Kind: UInt8, Sendable, CaseIterable {
    /// The global L2 norm.
    case globalNorm = 1
    /// Each element's magnitude.
    case value = 2
    /// Each tensor's L2 norm, or a bound that adapts to history: such a run clips by design.
    case adaptive = 3
  }

  /// What the threshold bounds.
  public var kind: Kind
  /// The threshold; finite and above 0.
  public var threshold: Double
  /// Whether this step was clipped.
  public var clipped: Bool

  /// Makes a clipping.
  public init(kind: Kind, threshold: Double, clipped: Bool) {
    self.kind = kind
    self.threshold = threshold
    self.clipped = clipped
  }
}
