/// The part of the learning-rate schedule that a step is in.
///
/// The raw values are stored and go over the wire: they never change their meaning.
public enum TrainingPhase: UInt8, Sendable, CaseIterable {
  /// The client did not say.
  case unspecified = 0
  /// The rate rises from near 0.
  case warmup = 1
  /// The rate is at its working value.
  case main = 2
  /// The rate falls to the end of the schedule.
  case decay = 3
}
