/// Where the values of two runs part.
public struct Parting: Sendable, Hashable {
  /// How they part.
  ///
  /// The raw values go over the wire: they never change their meaning.
  public enum Kind: UInt8, Sendable, CaseIterable {
    /// The ratio of the two values leaves its usual band, and stays out.
    case ratio = 1
    /// One value is NaN or infinite, and the other one finite.
    case nonFinite = 2
    /// One run measures a layer and the other does not, and it stays so.
    case presence = 3
  }

  /// How.
  public var kind: Kind
  /// The first step at which they are apart.
  public var step: UInt64
  /// Run a's value there; `nil` if it was not measured.
  public var a: Double?
  /// Run b's value there; `nil` if it was not measured.
  public var b: Double?
  /// ln(a / b) as it usually was before; 0 for runs that begin alike.
  public var usualLogRatio: Double
  /// How far ln(a / b) may go beyond what lies between that and 0.
  public var band: Double

  /// How far beyond the usual it is: infinite if only one value is finite, or there at all.
  var distance: Double {
    guard kind == .ratio, let a, let b else { return .infinity }
    return Self.distance(of: LogRatio.of(a, b), fromUsual: usualLogRatio)
  }

  /// How far ln(a / b) is from what lies between 0 and where it usually is; negative inside.
  static func distance(of logRatio: Double, fromUsual usual: Double) -> Double {
    max(logRatio - max(usual, 0), min(usual, 0) - logRatio)
  }
}
