import Foundation

/// How values are spread over an axis.
public enum ScaleChoice: Sendable {
  /// Logarithmic if no value is negative and the positive ones span more than two decades.
  case automatic
  /// Equal distances for equal differences.
  case linear
  /// Equal distances for equal ratios; values that are not above 0 have no place.
  case logarithmic
}

/// The place of values on an axis, from 0 at the smallest to 1 at the largest.
struct ValueScale: Sendable {
  /// Whether equal distances are equal ratios.
  let isLogarithmic: Bool
  /// The smallest value that has a place.
  let lower: Double
  /// The largest value.
  let upper: Double

  /// Two decades: the span from which on a linear axis shows only the largest values.
  static let logarithmicSpan = 100.0

  /// Fits a scale to values; those that are not finite have no influence.
  ///
  /// - Returns: `nil` if no value has a place.
  init?(_ values: some Sequence<Double>, choice: ScaleChoice) {
    var lowest = Double.infinity
    var highest = -Double.infinity
    var lowestPositive = Double.infinity
    for value in values where value.isFinite {
      lowest = min(lowest, value)
      highest = max(highest, value)
      if value > 0 { lowestPositive = min(lowestPositive, value) }
    }
    guard lowest <= highest else { return nil }
    switch choice {
    case .linear: isLogarithmic = false
    case .logarithmic: isLogarithmic = true
    case .automatic:
      isLogarithmic =
        lowest >= 0 && highest > 0 && highest / lowestPositive > Self.logarithmicSpan
    }
    if isLogarithmic {
      guard lowestPositive.isFinite else { return nil }
      (lower, upper) = (lowestPositive, highest)
    } else {
      (lower, upper) = (lowest, highest)
    }
  }

  /// Where a value stands, from 0 to 1; 0.5 if all values are the same, `nil` if it has no place.
  func position(of value: Double) -> Double? {
    guard value.isFinite, !isLogarithmic || value > 0 else { return nil }
    guard lower < upper else { return 0.5 }
    let position =
      if isLogarithmic {
        (log10(value) - log10(lower)) / (log10(upper) - log10(lower))
      } else if (upper - lower).isFinite {
        (value - lower) / (upper - lower)
      } else {
        // Half of each, as the difference itself overflows.
        (value / 2 - lower / 2) / (upper / 2 - lower / 2)
      }
    // Two values may be apart, and their logarithms not.
    return position.isNaN ? 0.5 : min(max(position, 0), 1)
  }

  /// The value that stands at a position from 0 to 1.
  func value(at position: Double) -> Double {
    guard isLogarithmic else { return lower + (upper - lower) * position }
    return pow(10, log10(lower) + (log10(upper) - log10(lower)) * position)
  }

  /// Round values within the scale, ascending, about `count` of them and at least one.
  func ticks(count: Int) -> [Double] {
    guard lower < upper, count > 1 else { return [upper] }
    if isLogarithmic {
      let decades =
        Int(
          log10(lower).rounded(.up)
        )...max(
          Int(log10(lower).rounded(.up)),
          Int(log10(upper).rounded(.down))
        )
      let stride = max(1, (decades.count + count - 1) / count)
      let ticks = decades.filter { $0 % stride == 0 }.map { pow(10, Double($0)) }
        .filter { (lower...upper).contains($0) }
      return ticks.count > 1 ? ticks : [lower, upper]
    }
    let step = Self.roundStep(atLeast: (upper / 2 - lower / 2) / Double(count) * 2)
    guard step.isFinite, step > 0 else { return [lower, upper] }
    let first = (lower / step).rounded(.up)
    let last = (upper / step).rounded(.down)
    // Where values differ by less than they can be divided, there is nothing round between them.
    guard last - first >= 0, last - first <= Double(2 * count), abs(last) < 1e15 else {
      return [lower, upper]
    }
    return (0...Int(last - first)).map { (first + Double($0)) * step }
  }

  /// The smallest of 1, 2 and 5 times a power of ten that is not below `value`.
  private static func roundStep(atLeast value: Double) -> Double {
    guard value > 0, value.isFinite else { return 0 }
    let power = pow(10, log10(value).rounded(.down))
    // The tolerance is for a power that came out a bit below the value.
    let factor = [1.0, 2, 5].first { $0 * power >= value * (1 - 1e-9) } ?? 10
    return factor * power
  }
}
