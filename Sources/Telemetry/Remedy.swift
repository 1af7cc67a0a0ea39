/// One thing to try, and why.
public struct Remedy: Hashable, Sendable {
  /// The change to make, as an instruction.
  public var action: String
  /// Why it helps here.
  public var reason: String

  /// Makes a remedy.
  public init(action: String, reason: String) {
    self.action = action
    self.reason = reason
  }
}
