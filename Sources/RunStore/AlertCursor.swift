/// A place in the order of all alert transitions of a store; later transitions have higher cursors.
public struct AlertCursor: Hashable, Sendable, Comparable {
  /// The place; 0 is before the first transition.
  public let rawValue: Int64

  /// Before the first transition.
  public static let start = AlertCursor(0)

  /// Makes a cursor.
  public init(_ rawValue: Int64) { self.rawValue = rawValue }

  /// Orders by place.
  public static func < (lhs: AlertCursor, rhs: AlertCursor) -> Bool { lhs.rawValue < rhs.rawValue }
}
