import Foundation

/// Numbers as people read them; data formats keep every digit (see ``DelimitedText`` and
/// ``JSONText``).
public enum NumberText {
  /// A measured value in few digits.
  ///
  /// From 0.001 up to a million in plain notation, else in scientific notation, without trailing
  /// zeros (`0.0312`, `1.5`, `3.162e-9`). NaN and infinities read `NaN`, `+Inf` and `-Inf`.
  ///
  /// - Parameters:
  ///   - value: The value.
  ///   - digits: The significant digits, 1 to 17; a plain integer part keeps all of its own.
  /// - Returns: The text.
  public static func short(_ value: Double, digits: Int = 4) -> String {
    guard value.isFinite else { return nonFinite(value) }
    guard value != 0 else { return "0" }
    // Rounded first: 999999.9 has to become 1e6 before the notation is chosen.
    let scientific = String(format: "%.\(digits - 1)e", value)
    guard let mark = scientific.firstIndex(of: "e"),
      let exponent = Int(scientific[scientific.index(after: mark)...])
    else { return scientific }
    guard (-3..<6).contains(exponent) else {
      return trimmed(String(scientific[..<mark])) + "e\(exponent)"
    }
    return trimmed(String(format: "%.\(max(0, digits - 1 - exponent))f", value))
  }

  /// The text of NaN or an infinity; ``short(_:digits:)`` of anything else.
  public static func nonFinite(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    return short(value)
  }

  /// The style of a measured value: NaN and infinities shout.
  public static func style(of value: Double) -> Style { value.isFinite ? .plain : .critical }

  /// A count with its digits in groups of three (`1,234,567`).
  public static func grouped(_ count: UInt64) -> String {
    var digits = ""
    for (index, digit) in String(count).reversed().enumerated() {
      if index > 0, index % 3 == 0 { digits.append(",") }
      digits.append(digit)
    }
    return String(digits.reversed())
  }

  /// A count in three digits and a unit (`11.6 M`), as sizes of models are spoken of.
  public static func scaled(_ count: UInt64) -> String {
    for (unit, name) in [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")]
    where Double(count) >= unit {
      return short(Double(count) / unit, digits: 3) + " " + name
    }
    return String(count)
  }

  /// A size in bytes with a binary unit (`4 MiB`).
  public static func bytes(_ count: UInt64) -> String {
    for (power, name) in [(UInt64(40), "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")]
    where count >= 1 << power {
      return short(Double(count) / Double(UInt64(1) << power), digits: 3) + " " + name
    }
    return "\(count) B"
  }

  /// A share from 0 to 1 in percent (`97 %`).
  public static func percent(_ share: Double) -> String {
    share.isFinite ? short(share * 100, digits: 3) + " %" : nonFinite(share)
  }

  private static func trimmed(_ text: String) -> String {
    guard text.contains(".") else { return text }
    var text = text
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
  }
}
