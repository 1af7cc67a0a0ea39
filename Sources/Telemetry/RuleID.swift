/// The identifier of a detector, such as `exploding_gradient`.
public struct RuleID: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// The identifier in snake case, as detectors and labels name it.
  public let rawValue: String

  /// Makes an identifier.
  public init(_ rawValue: String) { self.rawValue = rawValue }

  /// The raw value.
  public var description: String { rawValue }

  /// Orders by the raw value, for stable listings.
  public static func < (lhs: RuleID, rhs: RuleID) -> Bool { lhs.rawValue < rhs.rawValue }
}
