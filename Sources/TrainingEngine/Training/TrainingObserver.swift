/// Watches a training run: called after every update, on the thread that trains.
///
/// What it throws ends the run and reaches the caller.
public typealias TrainingObserver = (TrainingStep) throws -> TrainingDirective

/// What an observer wants of the run.
public enum TrainingDirective: Sendable {
  /// Go on.
  case proceed
  /// Make this step the last.
  case stop
}
