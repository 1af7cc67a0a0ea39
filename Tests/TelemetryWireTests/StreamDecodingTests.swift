import SwiftProtobuf
import TelemetryTesting
import TelemetryWire
import Testing

@Suite("Decoding a message of the telemetry stream")
struct StreamDecodingTests {
  private typealias Request = Gradwatch_V1_StreamTelemetryRequest

  /// Bytes of a report whose histograms have these counts, behind a number and a step.
  private static func request(counts: [UInt64]) throws -> [UInt8] {
    try Request.with {
      ($0.report.sequence, $0.report.step) = (7, 9)
      $0.report.gradients.norm = [.nan, 1]
      $0.report.histograms.scale = -1
      $0.report.histograms.zeroCount = [1, 2]
      $0.report.histograms.counts = counts
      $0.report.annotations = [.with { $0.action = "clip" }]
    }.serializedBytes()
  }

  private static func decode(_ bytes: [UInt8]) throws -> Request {
    try bytes.withUnsafeBytes(Request.init(cuttingCountsOutOf:)) ?? Request(serializedBytes: bytes)
  }

  /// Checks that both decoders say the same of some bytes.
  private static func check(_ bytes: [UInt8]) throws {
    let expected = try? Request(serializedBytes: bytes)
    let found = try? decode(bytes)
    #expect(try expected?.serializedBytes() == (try found?.serializedBytes() as [UInt8]?))
  }

  @Test("counts of every length are what the generated decoder reads")
  func lengths() throws {
    var edges: [UInt64] = [.max]
    for bit in 0..<64 { edges += [1 << UInt64(bit) - 1, 1 << UInt64(bit)] }
    for counts in [[], [0], [127, 128], edges, edges + edges] {
      let bytes = try Self.request(counts: counts)
      let found = try Self.decode(bytes)
      #expect(found.report.histograms.counts == counts)
      #expect(try found.serializedBytes() == bytes)
    }
  }

  @Test("counts of lengths in any order are what the generated decoder reads")
  func orders() throws {
    var random = SeededGenerator(seed: 5)
    for turn in 0..<2000 {
      // Mostly of one length, so that words of one are met, and interrupted anywhere.
      let usual = UInt64.random(in: 1...3, using: &random)
      let counts = (0..<Int.random(in: 0...40, using: &random)).map { _ -> UInt64 in
        let bytes =
          Int.random(in: 0..<6, using: &random) == 0 ? .random(in: 1...9, using: &random) : usual
        return .random(in: 0...(1 << (7 * bytes)) - 1, using: &random)
      }
      let found = try Self.decode(try Self.request(counts: counts))
      #expect(found.report.histograms.counts == counts, "turn \(turn)")
    }
  }

  @Test("a message cut off anywhere is refused, or read as the generated decoder reads it")
  func cut() throws {
    let bytes = try Self.request(counts: [1, 300, 70_000, .max])
    for length in bytes.indices { try Self.check(Array(bytes[..<length])) }
  }

  @Test("any byte changed in any way, both decoders say the same")
  func changed() throws {
    let bytes = try Self.request(counts: [1, 300, 70_000])
    for place in bytes.indices {
      for value in UInt8.min...UInt8.max {
        var bytes = bytes
        bytes[place] = value
        try Self.check(bytes)
      }
    }
  }

  @Test("among many counts, bytes that are none are left to the generated decoder")
  func overlong() throws {
    /// A field of bytes.
    func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
      let key: [UInt8] = number < 16 ? [number << 3 | 2] : [(number << 3 | 2) | 0x80, number >> 4]
      let low = UInt8(content.count & 0x7f) | 0x80
      return key + [low, UInt8(content.count >> 7)] + content
    }
    func message(_ counts: [UInt8]) -> [UInt8] { field(2, field(16, field(8, counts))) }
    // Eight bytes at the start of both halves, whose first count is followed by one of 31 bytes.
    let half = [1] + [UInt8](repeating: 0x80, count: 30) + [0]
    try Self.check(message(half + half))
    var random = SeededGenerator(seed: 9)
    for _ in 0..<2000 {
      var bytes: [UInt8] = []
      while bytes.count < 150 {
        // Mostly counts, and now and then what is longer than any.
        let isLong = Int.random(in: 0..<20, using: &random) == 0
        let length =
          isLong ? Int.random(in: 8...40, using: &random) : .random(in: 0...4, using: &random)
        bytes += (0..<length).map { _ in .random(in: 0x80...0xff, using: &random) }
        bytes.append(.random(in: 0...0x7f, using: &random))
      }
      try Self.check(message(bytes))
    }
  }

  @Test("forms of the same message that no client of ours sends")
  func forms() throws {
    let histograms: [UInt8] = [0x40, 5, 0x42, 2, 1, 2, 0x40, 0xac, 2]
    let packedTwice: [UInt8] = [0x42, 1, 9, 0x1a, 1, 3, 0x42, 2, 0x80, 1]
    func report(_ parts: [UInt8]...) -> [UInt8] {
      var body: [UInt8] = []
      for part in parts { body += [0x82, 1, UInt8(part.count)] + part }
      return [0x12, UInt8(body.count)] + body
    }
    let open: [UInt8] = [0x0a, 3, 0x0a, 1, 0x61]
    for bytes in [
      report(histograms), report(packedTwice), report(packedTwice, packedTwice),
      report(packedTwice) + open, open + report(packedTwice),
      report(packedTwice) + report(packedTwice), report(packedTwice) + [0x18, 1], open, [],
    ] {
      #expect(throws: Never.self) { try Self.decode(bytes) }
      try Self.check(bytes)
    }
    #expect(try Self.decode(report(packedTwice)).report.histograms.counts == [9, 128])
  }
}
