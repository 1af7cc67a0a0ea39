import SwiftProtobuf
import Telemetry
import TelemetryWire
import Testing

@Suite("Refused scalars")
struct ScalarRefusalTests {
  private static func outOfRange(
    _ field: String,
    _ expected: String,
    _ found: String
  ) -> TelemetryError { .outOfRange(field: field, expected: expected, found: found) }

  @Test(
    "a number that no report may have is refused",
    arguments: [
      Refusal("sequence 0", outOfRange("sequence", "at least 1", "0")) { $0.sequence = 0 },
      Refusal(
        "step 2^63",
        outOfRange("step", "at most 2^63-1", "9223372036854775808")
      ) { $0.step = 1 << 63 },
      Refusal(
        "step 2^64-1",
        outOfRange("step", "at most 2^63-1", "18446744073709551615")
      ) { $0.step = .max },
      Refusal(
        "batch size 2^63",
        outOfRange("batch_size", "at most 2^63-1", "9223372036854775808")
      ) { $0.batchSize = 1 << 63 },
    ]
  )
  func numbers(refusal: Refusal) throws { try refusal.check() }

  @Test(
    "a wall time that is not finite, negative or too late is refused",
    arguments: [.nan, .infinity, -.infinity, -1, -1e-300, 253_402_300_800] as [Double]
  )
  func wallTimes(seconds: Double) throws {
    try Refusal(
      "",
      Self.outOfRange(
        "wall_time_seconds",
        "finite seconds since 1970, before the year 10000",
        "\(seconds)"
      )
    ) { $0.wallTimeSeconds = seconds }.check()
  }

  @Test(
    "a learning rate that is not finite is refused; a negative one is data",
    arguments: [.nan, .infinity, -.infinity] as [Double]
  )
  func learningRates(rate: Double) throws {
    try Refusal("", Self.outOfRange("learning_rate", "a finite number", "\(rate)")) {
      $0.learningRate = rate
    }.check()
    var wire = WireFixture.report()
    wire.learningRate = -1
    #expect(try StepReport(wire: wire).scalars.learningRate == -1)
  }

  @Test(
    "a phase that is not known is refused, by its number",
    arguments: [4, 256, 258, -1, Int(Int32.min), Int(Int32.max)]
  )
  func phases(number: Int) throws {
    try Refusal("", Self.outOfRange("phase", "a known training phase", "\(number)")) {
      $0.phase = .UNRECOGNIZED(number)
    }.check()
  }

  @Test(
    "a kind of clipping that is not known is refused",
    arguments: [0, 4, 257, -1, Int(Int32.min)]
  )
  func clippingKinds(number: Int) throws {
    try Refusal("", Self.outOfRange("clipping.kind", "a kind of clipping", "\(number)")) {
      $0.clipping.kind = number == 0 ? .unspecified : .UNRECOGNIZED(number)
    }.check()
  }

  @Test(
    "a clipping threshold that is not finite and above 0 is refused",
    arguments: [.nan, .infinity, -.infinity, 0, -0.0, -1] as [Double]
  )
  func thresholds(threshold: Double) throws {
    try Refusal(
      "",
      Self.outOfRange("clipping.threshold", "a finite number above 0", "\(threshold)")
    ) { $0.clipping.threshold = threshold }.check()
  }

  @Test("a clipping of which nothing is said is refused")
  func emptyClipping() throws {
    try Refusal("", Self.outOfRange("clipping.kind", "a kind of clipping", "0")) {
      $0.clipping = .init()
    }.check()
  }

  @Test(
    "a loss must have a proper name that no other loss of the step has",
    arguments: [
      Refusal("empty", outOfRange("losses[2].name", "a name", "an empty string")) {
        $0.losses[2].name = ""
      },
      Refusal(
        "overlong",
        outOfRange("losses[0].name", "at most 512 bytes of UTF-8", "513 bytes")
      ) { $0.losses[0].name = String(repeating: "l", count: 513) },
      Refusal(
        "with a control character",
        outOfRange("losses[9].name", "no control character", "U+1B")
      ) { $0.losses[9].name = "\u{1b}[31m" },
      Refusal(
        "repeated",
        outOfRange("losses[9].name", "a name that no other loss has", "a repeated one")
      ) { $0.losses[9].name = "loss-3" },
    ]
  )
  func lossNames(refusal: Refusal) throws { try refusal.check() }

  @Test("a step has at most 1,024 losses")
  func lossCount() throws {
    var wire = WireFixture.report()
    wire.losses = (0..<1024).map { index in .with { $0.name = "l\(index)" } }
    #expect(try StepReport(wire: wire).scalars.losses.count == 1024)
    try Refusal("", Self.outOfRange("losses", "at most 1024", "1025")) {
      $0.losses = (0..<1025).map { index in .with { $0.name = "l\(index)" } }
    }.check()
  }

  @Test(
    "an annotation names an action, and its texts are proper",
    arguments: [
      Refusal("no action", outOfRange("annotations[1].action", "a name", "an empty string")) {
        $0.annotations[1].action = ""
      },
      Refusal(
        "a long action",
        outOfRange("annotations[0].action", "at most 512 bytes of UTF-8", "513 bytes")
      ) { $0.annotations[0].action = String(repeating: "a", count: 513) },
      Refusal(
        "a long detail",
        outOfRange("annotations[1].detail", "at most 512 bytes of UTF-8", "514 bytes")
      ) { $0.annotations[1].detail = String(repeating: "ü", count: 257) },
      Refusal(
        "a detail that steers terminals",
        outOfRange("annotations[0].detail", "no control character", "U+1B")
      ) { $0.annotations[0].detail = "\u{1b}[31m" },
      Refusal(
        "an alert that is no identifier",
        outOfRange("annotations[1].alert_id", "no control character", "U+A")
      ) { $0.annotations[1].alertID = "0123\n" },
    ]
  )
  func annotations(refusal: Refusal) throws { try refusal.check() }

  @Test("a step has at most 16 annotations")
  func annotationCount() throws {
    var wire = WireFixture.report()
    wire.annotations = (0..<16).map { _ in .with { $0.action = "clip" } }
    #expect(try StepReport(wire: wire).scalars.annotations.count == 16)
    try Refusal("", Self.outOfRange("annotations", "at most 16", "17")) {
      $0.annotations = (0..<17).map { _ in .with { $0.action = "clip" } }
    }.check()
  }
}
