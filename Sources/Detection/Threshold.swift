/// A number of a rule that a user may change.
public struct Threshold: Hashable, Sendable {
  /// The name, unique within its rule, such as "warning_drop".
  public let name: String
  /// The value unless a user sets another one.
  public let standard: Double
  /// The values that make sense, both ends included.
  public let range: ClosedRange<Double>
  /// What it bounds, with its unit, and where the standard value comes from.
  public let meaning: String

  /// Describes a number.
  init(_ name: String, _ standard: Double, in range: ClosedRange<Double>, _ meaning: String) {
    self.name = name
    self.standard = standard
    self.range = range
    self.meaning = meaning
  }
}
