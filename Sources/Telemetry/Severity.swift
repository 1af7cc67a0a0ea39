/// How much an alert asks of a person.
///
/// The raw values are stored and go over the wire: they never change their meaning.
public enum Severity: UInt8, Sendable, CaseIterable, Comparable {
  /// Worth knowing; nobody should be woken.
  case info = 1
  /// Somebody should look.
  case warning = 2
  /// Training does not work, or is about to stop working.
  case critical = 3

  /// Orders from ``info`` to ``critical``.
  public static func < (lhs: Severity, rhs: Severity) -> Bool { lhs.rawValue < rhs.rawValue }
}
