/// A report that the collector did not accept, and never will.
public struct Refusal: Hashable, Sendable {
  /// The step that is missing from the run now.
  public var step: UInt64
  /// The field or column at fault.
  public var field: String
  /// Place, expected and found.
  public var reason: String

  /// Makes a refusal.
  public init(step: UInt64, field: String, reason: String) {
    self.step = step
    self.field = field
    self.reason = reason
  }
}
