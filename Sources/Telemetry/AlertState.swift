/// Where an alert is in its life; the words are Prometheus's.
///
/// The raw values are stored and go over the wire: they never change their meaning.
public enum AlertState: UInt8, Sendable, CaseIterable {
  /// The condition holds, but not for long enough. Becomes ``firing``, or ``resolved`` if it passes.
  case pending = 1
  /// The condition held for long enough. Becomes ``acknowledged`` or ``resolved``.
  case firing = 2
  /// Firing, and a person said that they know. Becomes ``resolved``.
  case acknowledged = 3
  /// The condition is over. Becomes ``firing`` again, under the same identifier, if it returns soon.
  case resolved = 4

  /// Whether the condition still holds.
  public var isOpen: Bool { self != .resolved }
}
