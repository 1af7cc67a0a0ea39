/// The natural logarithm of the ratio of two values; this room imports no C library to ask for one.
enum LogRatio {
  /// ln(|a| / |b|) of finite values.
  ///
  /// - Returns: 0 if they are equal, both 0 included; infinite, with the sign that says which is larger,
  ///   if only one is 0 or their signs differ.
  static func of(_ a: Double, _ b: Double) -> Double {
    if a == b { return 0 }
    guard a != 0, b != 0, (a < 0) == (b < 0) else {
      return a.magnitude < b.magnitude ? -.infinity : .infinity
    }
    return ln(a.magnitude) - ln(b.magnitude)
  }

  /// ln(x) of a finite number above 0; the error is below 1e-9.
  private static func ln(_ x: Double) -> Double {
    // ln(m) = 2 artanh((m - 1) / (m + 1)), and m is in [1, 2).
    let z = (x.significand - 1) / (x.significand + 1)
    let square = z * z
    var sum = 0.0
    for power in stride(from: 17.0, through: 1, by: -2) { sum = sum * square + 1 / power }
    return Double(x.exponent) * 0.693_147_180_559_945_3 + 2 * z * sum
  }
}
