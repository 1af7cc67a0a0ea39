import Telemetry
import Testing

@Suite("Wall times")
struct WallTimeTests {
  @Test(
    "a time that is not finite, is negative or is past the year 9999 is refused",
    arguments: [
      .nan, -.nan, .infinity, -.infinity, -1, -.leastNonzeroMagnitude, 253_402_300_799.1,
      253_402_300_800, .greatestFiniteMagnitude,
    ] as [Double]
  )
  func refused(seconds: Double) {
    #expect(
      throws: TelemetryError.outOfRange(
        field: "wall_time_seconds",
        expected: "finite seconds since 1970, before the year 10000",
        found: "\(seconds)"
      )
    ) { try WallTime(seconds: seconds, field: "wall_time_seconds") }
  }

  @Test(
    "a time in range is kept bit for bit",
    arguments: [
      0, .leastNonzeroMagnitude, 0.1, 1_700_000_000.123456, 253_402_300_799,
    ] as [Double]
  )
  func kept(seconds: Double) throws {
    let time = try WallTime(seconds: seconds, field: "wall_time_seconds")
    #expect(time.seconds.bitPattern == seconds.bitPattern)
    #expect(time == WallTime(clamping: seconds))
  }

  @Test(
    "clamping brings everything into range, and NaN to 1970",
    arguments: [
      (.nan, 0), (-.infinity, 0), (-1, 0), (.infinity, 253_402_300_799),
      (253_402_300_800, 253_402_300_799), (12.5, 12.5),
    ] as [(Double, Double)]
  )
  func clamped(seconds: Double, expected: Double) {
    #expect(WallTime(clamping: seconds).seconds == expected)
  }

  @Test("minus zero is zero, wherever it comes from")
  func minusZero() throws {
    let time = try WallTime(seconds: -0.0, field: "wall_time_seconds")
    #expect(time.seconds.sign == .plus)
    #expect(WallTime(clamping: -0.0).seconds.sign == .plus)
  }

  @Test("times order and subtract as seconds, also when a clock was set back")
  func arithmetic() {
    let (early, late) = (WallTime(clamping: 10), WallTime(clamping: 12.5))
    #expect(early < late)
    #expect(!(early < early))
    #expect(late.seconds(since: early) == 2.5)
    #expect(early.seconds(since: late) == -2.5)
  }
}
