/// Why one finding is thought to follow from another.
public struct CausalClaim: Sendable, Hashable {
  /// How the one brings about the other, and what in time and place speaks for it.
  public var reason: String
  /// How sure that is, from 0 to 1.
  public var confidence: Double
  /// Steps from the beginning of the cause to that of the effect; negative if the effect was noticed
  /// first, within what the cause's rule takes to notice.
  public var delay: Int64

  /// Makes a claim.
  public init(reason: String, confidence: Double, delay: Int64) {
    self.reason = reason
    self.confidence = confidence
    self.delay = delay
  }
}
