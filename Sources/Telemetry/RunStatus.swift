/// Where a run is in its life.
///
/// The raw values are stored and go over the wire: they never change their meaning.
public enum RunStatus: UInt8, Sendable, CaseIterable {
  /// Registered, and not finished; a finished run that is registered again runs again.
  case running = 1
  /// Ended as planned.
  case finished = 2
  /// Ended by an error.
  case failed = 3
  /// Stopped by a person or a scheduler.
  case aborted = 4
}
