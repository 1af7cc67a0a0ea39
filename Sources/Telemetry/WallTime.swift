/// A moment, in seconds since 1970-01-01T00:00:00Z.
///
/// Always finite.
public struct WallTime: Hashable, Sendable, Comparable {
  /// Seconds since the Unix epoch; finite, from 0 to the end of the year 9999.
  public let seconds: Double

  /// The end of the year 9999, past which RFC 3339 has no form.
  public static let maximumSeconds = 253_402_300_799.0

  /// Takes a time that a client sent.
  ///
  /// - Parameters:
  ///   - seconds: Seconds since the Unix epoch.
  ///   - field: Where it stood, for the error.
  /// - Throws: ``TelemetryError/outOfRange(field:expected:found:)`` if it is NaN, infinite, negative or
  ///   after the year 9999.
  public init(seconds: Double, field: String) throws(TelemetryError) {
    guard seconds >= 0, seconds <= Self.maximumSeconds else {
      throw .outOfRange(
        field: field,
        expected: "finite seconds since 1970, before the year 10000",
        found: "\(seconds)"
      )
    }
    // Minus zero becomes zero: one moment has one form.
    self.seconds = seconds + 0
  }

  /// Takes a time from this machine's clock or from the store, brought into range.
  public init(clamping seconds: Double) {
    self.seconds = seconds.isNaN ? 0 : Swift.min(Swift.max(seconds, 0), Self.maximumSeconds) + 0
  }

  /// Orders by time.
  public static func < (lhs: WallTime, rhs: WallTime) -> Bool { lhs.seconds < rhs.seconds }

  /// The seconds from `earlier` to this time; negative if a clock was set back.
  public func seconds(since earlier: WallTime) -> Double { seconds - earlier.seconds }
}
