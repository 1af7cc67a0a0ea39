/// Moments and spans as text; every moment is in UTC.
public enum TimeText {
  /// A moment in RFC 3339, to the millisecond (`2026-11-21T07:15:00.250Z`).
  ///
  /// - Parameter seconds: Seconds since 1970-01-01T00:00:00Z, within the years 0 to 9999; others,
  ///   and NaN, are brought into that range.
  /// - Returns: The text; the milliseconds are left out if they are 0.
  public static func rfc3339(_ seconds: Double) -> String {
    let bounded = seconds.isNaN ? 0 : min(max(seconds, -62_167_219_200), 253_402_300_799)
    let milliseconds = Int64((bounded * 1000).rounded())
    let whole = floorDivide(milliseconds, 1000)
    let days = floorDivide(whole, 86_400)
    let second = whole - days * 86_400
    let (year, month, day) = civil(days: days)
    let fraction = milliseconds - whole * 1000
    return "\(digits(year, 4))-\(digits(month, 2))-\(digits(day, 2))"
      + "T\(digits(second / 3600, 2)):\(digits(second / 60 % 60, 2)):\(digits(second % 60, 2))"
      + (fraction == 0 ? "Z" : ".\(digits(fraction, 3))Z")
  }

  /// A span of time in its largest unit (`42 s`, `3 min`, `5 h`, `2 d`); NaN is unknown (`?`).
  public static func span(_ seconds: Double) -> String {
    guard !seconds.isNaN else { return "?" }
    let seconds = min(max(seconds, 0), 3.2e10)
    for (unit, name) in [(86_400.0, "d"), (3600, "h"), (60, "min")] where seconds >= unit * 1.5 {
      return "\(Int((seconds / unit).rounded())) \(name)"
    }
    return "\(Int(seconds.rounded())) s"
  }

  /// Year, month and day of a day's number since 1970-01-01, in the proleptic Gregorian calendar.
  ///
  /// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
  private static func civil(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = floorDivide(shifted, 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (
      yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month,
      dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    )
  }

  private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
    value >= 0 ? value / divisor : (value - divisor + 1) / divisor
  }

  private static func digits(_ value: Int64, _ count: Int) -> String {
    let text = String(value)
    return String(repeating: "0", count: max(0, count - text.count)) + text
  }
}
