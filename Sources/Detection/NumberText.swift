/// A number as a person reads it in a sentence: three significant digits.
///
/// From 0.001 to 99,999 in plain form, otherwise with an exponent: `0.24`, `184`, `2.5e-07`.
func text(_ value: Double) -> String {
  guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf" }
  guard value != 0 else { return "0" }
  let magnitude = abs(value)
  var exponent = Int(naturalLog(magnitude) / naturalLog(10)).clamped(to: -400...400)
  if power(10, Double(exponent)) > magnitude { exponent -= 1 }
  guard (-3...4).contains(exponent) else {
    let scale = power(10, Double(exponent))
    // A subnormal magnitude has no normal power of ten below it.
    guard scale > 0 else { return "\(value)" }
    return trimmed((value / scale * 100).rounded() / 100) + "e\(exponent)"
  }
  let scale = power(10, Double(2 - exponent))
  return trimmed((value * scale).rounded() / scale)
}

private func trimmed(_ value: Double) -> String {
  let description = "\(value)"
  return description.hasSuffix(".0") ? String(description.dropLast(2)) : description
}

extension Comparable {
  /// This value, brought into `range`.
  func clamped(to range: ClosedRange<Self>) -> Self {
    min(max(self, range.lowerBound), range.upperBound)
  }
}
