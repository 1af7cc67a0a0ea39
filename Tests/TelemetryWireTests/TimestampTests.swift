import SwiftProtobuf
import Telemetry
import TelemetryTesting
import TelemetryWire
import Testing

@Suite("Times over the wire")
struct TimestampTests {
  @Test(
    "a time is split into whole seconds and nanoseconds, rounded to the nearest",
    arguments: [
      (0, 0, 0), (0.5, 0, 500_000_000), (1e-9, 0, 1), (0.4e-9, 0, 0), (0.6e-9, 0, 1),
      (1_700_000_000.25, 1_700_000_000, 250_000_000), (253_402_300_799, 253_402_300_799, 0),
      (253_402_300_798.5, 253_402_300_798, 500_000_000),
    ] as [(Double, Int64, Int32)]
  )
  func split(seconds: Double, whole: Int64, nanos: Int32) {
    let wire = Google_Protobuf_Timestamp(WallTime(clamping: seconds))
    #expect(wire.seconds == whole)
    #expect(wire.nanos == nanos)
  }

  @Test(
    "a fraction that rounds to a whole second stays below it",
    arguments: [0, 1, 1000] as [Double]
  )
  func fraction(whole: Double) {
    let wire = Google_Protobuf_Timestamp(WallTime(clamping: (whole + 1).nextDown))
    #expect(wire.seconds == Int64(whole))
    #expect(wire.nanos == 999_999_999)
  }

  @Test("times of today come back within a nanosecond of what a double can tell")
  func roundTrip() throws {
    var generator = SeededGenerator(seed: 22)
    for round in 0..<10_000 {
      let seconds = Double.random(in: 0...WallTime.maximumSeconds, using: &generator)
      let wire = Google_Protobuf_Timestamp(WallTime(clamping: seconds))
      try #require((0...999_999_999).contains(wire.nanos), "round \(round)")
      let back = WallTime(wire: wire).seconds
      try #require(abs(back - seconds) <= 1e-9 + seconds.ulp, "round \(round)")
    }
  }

  @Test(
    "a time from elsewhere is brought into range",
    arguments: [
      (0, 0, 0), (-1, 0, 0), (.min, .min, 0), (.max, .max, 253_402_300_799), (5, -1, 4.999999999),
      (0, -1, 0), (5, 500_000_000, 5.5), (253_402_300_799, 999_999_999, 253_402_300_799),
    ] as [(Int64, Int32, Double)]
  )
  func clamped(seconds: Int64, nanos: Int32, expected: Double) {
    let wire = Google_Protobuf_Timestamp(seconds: seconds, nanos: nanos)
    #expect(WallTime(wire: wire).seconds == expected)
  }
}
