/// A tensor's histogram at one step, in the form in which the client took it.
public enum GradientHistogram: Hashable, Sendable {
  /// Exponential buckets, which merge exactly.
  case exponential(ExponentialHistogram)
  /// Buckets with bounds of the client's choice.
  case explicit(ExplicitHistogram)
}
