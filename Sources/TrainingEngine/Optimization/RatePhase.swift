/// A part of a schedule.
public enum RatePhase: Hashable, Sendable {
  /// The rate rises from almost 0.
  case warmUp
  /// The rate is as set.
  case main
  /// The rate falls.
  case decay
}
