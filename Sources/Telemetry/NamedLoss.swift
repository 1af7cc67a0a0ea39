/// One loss of a step.
public struct NamedLoss: Hashable, Sendable {
  /// The name of the loss that is minimized.
  public static let primaryName = "loss"

  /// The loss's name.
  public var name: String
  /// Its value; NaN and infinities are data.
  public var value: Double

  /// Makes a loss.
  public init(name: String, value: Double) {
    self.name = name
    self.value = value
  }
}
