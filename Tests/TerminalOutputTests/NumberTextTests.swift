import TerminalOutput
import Testing

@Suite("Numbers as text")
struct NumberTextTests {
  @Test(
    "a measured value takes few digits and shouts if it is not finite",
    arguments: [
      (0, "0"), (-0.0, "0"), (1, "1"), (1.5, "1.5"), (0.03125, "0.03125"), (0.001, "0.001"),
      (0.00099999, "0.001"), (0.000999, "9.99e-4"), (3.1622e-9, "3.162e-9"), (123_456, "123456"),
      (999_999.9, "1e6"), (1_234_567, "1.235e6"), (-2.5e-12, "-2.5e-12"),
      (.leastNonzeroMagnitude, "4.941e-324"),
      (.greatestFiniteMagnitude, "1.798e308"), (.nan, "NaN"), (.infinity, "+Inf"),
      (-.infinity, "-Inf"),
    ]
  )
  func short(value: Double, text: String) {
    #expect(NumberText.short(value) == text)
    #expect(NumberText.style(of: value) == (value.isFinite ? .plain : .critical))
  }

  @Test("digits are rounded before the notation is chosen")
  func digits() {
    #expect(NumberText.short(1234.5, digits: 3) == "1234")
    #expect(NumberText.short(0.12345, digits: 3) == "0.123")
    #expect(NumberText.short(9.999, digits: 3) == "10")
    #expect(NumberText.short(1.25e-7, digits: 1) == "1e-7")
  }

  @Test("counts, sizes and shares have their units")
  func units() {
    #expect(NumberText.grouped(0) == "0")
    #expect(NumberText.grouped(999) == "999")
    #expect(NumberText.grouped(1_234_567) == "1,234,567")
    #expect(NumberText.grouped(.max) == "18,446,744,073,709,551,615")
    #expect(NumberText.scaled(999) == "999")
    #expect(NumberText.scaled(11_610_000) == "11.6 M")
    #expect(NumberText.scaled(70_000_000_000) == "70 G")
    #expect(NumberText.bytes(1023) == "1023 B")
    #expect(NumberText.bytes(4 << 20) == "4 MiB")
    #expect(NumberText.percent(0.0458) == "4.58 %")
    #expect(NumberText.percent(.nan) == "NaN")
  }

  @Test(
    "a moment is RFC 3339 in UTC",
    arguments: [
      (0, "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"),
      (1_795_245_300.25, "2026-11-21T07:15:00.250Z"), (-1, "1969-12-31T23:59:59Z"),
      (1_735_689_599.9999, "2025-01-01T00:00:00Z"), (253_402_300_799, "9999-12-31T23:59:59Z"),
      (.infinity, "9999-12-31T23:59:59Z"), (.nan, "1970-01-01T00:00:00Z"),
    ]
  )
  func moment(seconds: Double, text: String) {
    #expect(TimeText.rfc3339(seconds) == text)
  }

  @Test(
    "a span has its largest unit",
    arguments: [
      (0, "0 s"), (-5, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (5400, "2 h"),
      (200_000, "2 d"), (.nan, "?"), (.infinity, "370370 d"),
    ]
  )
  func span(seconds: Double, text: String) {
    #expect(TimeText.span(seconds) == text)
  }
}
