public import Telemetry

/// An alert transition with its place in the order of all.
public struct StoredTransition: Sendable, Equatable {
  /// The place.
  public var cursor: AlertCursor
  /// The project of the alert's run, by which subscribers filter.
  public var project: String
  /// The transition, with the alert as it was right after it.
  public var transition: AlertTransition

  /// Makes a stored transition.
  public init(cursor: AlertCursor, project: String, transition: AlertTransition) {
    self.cursor = cursor
    self.project = project
    self.transition = transition
  }
}
