/// How the gradients of a step were limited.
public struct AppliedClipping: Hashable, Sendable {
  /// Whether each element was, or else the global norm.
  public let isByValue: Bool
  /// The limit.
  public let threshold: Double
  /// Whether anything was above it.
  public let didClip: Bool
}
