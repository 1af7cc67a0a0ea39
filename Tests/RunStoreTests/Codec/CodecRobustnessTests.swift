import RunStore
import Telemetry
import TelemetryTesting
import Testing

/// Decoders against bytes that no encoder wrote: an error, and never a trap.
@Suite("Codecs: damaged bytes")
struct CodecRobustnessTests {
  private static func golden(_ blob: Blob) -> [[UInt8]] {
    let all = [
      GoldenBlobs.version1, GoldenBlobs.version2, GoldenBlobs.columns, GoldenBlobs.compressed,
      ["histograms.body": [GoldenBlobs.columnsOfManyRows]],
    ]
    return all.flatMap { $0[blob.name] ?? [] }.map { Blob.bytes($0) }
  }

  @Test("a blob that ends early is refused, wherever it ends", arguments: Blob.all)
  func truncation(blob: Blob) {
    for bytes in Self.golden(blob) {
      for length in bytes.indices {
        #expect(throws: CodecError.self, "\(length) of \(bytes.count) bytes") {
          try blob.read(Array(bytes[..<length]))
        }
      }
    }
  }

  @Test("a blob with more bytes behind it is refused", arguments: Blob.all)
  func excess(blob: Blob) {
    for bytes in Self.golden(blob) {
      #expect(throws: CodecError.self) { try blob.read(bytes + [0]) }
    }
  }

  @Test("a blob with any bit flipped is refused", arguments: Blob.all)
  func flips(blob: Blob) {
    for bytes in Self.golden(blob) {
      for index in bytes.indices {
        for bit in 0..<8 {
          var damaged = bytes
          damaged[index] ^= 1 << UInt8(bit)
          #expect(throws: CodecError.self, "bit \(bit) of byte \(index)") {
            try blob.read(damaged)
          }
        }
      }
    }
  }

  @Test("an unknown version or codec is named", arguments: Blob.all)
  func unknown(blob: Blob) {
    for var bytes in Self.golden(blob) {
      bytes[0] = 4
      let newest = ["histograms.body": "at most 3", "log.histograms": "at most 2"]
      let versions = newest[blob.name] ?? "1"
      #expect(throws: CodecError("format version: expected \(versions), found 4")) {
        try blob.read(bytes)
      }
      bytes[0] = 1
      bytes[1] = 9
      let stays = ["segment_scalars.", "histograms.body", "snapshots.", "models.", "alert"]
      let codecs = stays.contains(where: blob.name.hasPrefix) ? "at most 1" : "0"
      #expect(throws: CodecError("codec: expected \(codecs), found 9")) { try blob.read(bytes) }
    }
  }

  @Test("a checksum that does not match says both", arguments: Blob.all)
  func checksum(blob: Blob) throws {
    for var bytes in Self.golden(blob) {
      // A chunk's header has a checksum of its own; its last bytes are values.
      guard blob.name != "chunks.body" else { continue }
      let stored = bytes.suffix(4).reversed().map { Self.hexadecimal($0) }.joined()
      bytes.replaceSubrange((bytes.count - 4)..., with: [0, 0, 0, 0])
      #expect(
        throws: CodecError("checksum mismatch: expected 00000000, found \(stored)")
      ) { try blob.read(bytes) }
    }
  }

  @Test("damage under a checksum that matches is read as something or refused", arguments: Blob.all)
  func resealed(blob: Blob) {
    var random = SeededGenerator(seed: 77)
    for bytes in Self.golden(blob) {
      for _ in 0..<2000 {
        var damaged = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          let edges: [UInt8] = [0, 1, 0x7F, 0x80, 0xFF, .random(in: 0...255, using: &random)]
          damaged[Int.random(in: 2..<bytes.count, using: &random)] =
            edges.randomElement(using: &random) ?? 0
        }
        if Bool.random(using: &random), damaged.count > 12 {
          damaged.removeLast(Int.random(in: 1..<damaged.count - 10, using: &random))
        }
        Self.reseal(&damaged, isChunk: blob.name == "chunks.body")
        // Reaching the next line is the point: whatever the bytes are, nothing traps.
        do throws(CodecError) {
          _ = try blob.read(damaged)
        } catch {
          #expect(!error.detail.isEmpty)
        }
      }
    }
  }

  @Test("a log row's index that no model has is refused", arguments: [131_072, UInt32.max])
  func indices(index: UInt32) throws {
    var report = Samples.plain(1, step: 0)
    report.gradients.tensorIDs = [0, 0x1_4567]
    var column = ExponentialHistogramColumn()
    column.append(ExponentialHistogram(zeroCount: 1))
    column.tensorIDs = [0x4567]
    report.histograms = column
    var body = ByteWriter()
    try LogRowCodec.writeBody(of: report, to: &body)
    var histograms = ByteWriter()
    try LogRowCodec.writeHistograms(of: report, to: &histograms)
    let damagedBody = try Self.replacing([0x67, 0x45, 0x01, 0], by: index, in: body.array)
    #expect(
      throws: CodecError("gradients: expected an index below 131072, found \(index)")
    ) { try Blob.named("log.body").read(damagedBody) }
    let damagedHistograms = try Self.replacing([0x67, 0x45, 0, 0], by: index, in: histograms.array)
    #expect(
      throws: CodecError("histograms: expected an index below 131072, found \(index)")
    ) { try Blob.named("log.histograms").read(damagedHistograms) }
  }

  @Test("a log row with two columns of one metric is refused")
  func repeatedColumn() throws {
    var report = Samples.plain(1, step: 0)
    report.gradients.mean = [1, 2]
    var body = ByteWriter()
    try LogRowCodec.writeBody(of: report, to: &body)
    // The metric of the second column, and its two values.
    let damaged = try Self.replacing([2, 2, 0, 0], by: 0x0000_0201, in: body.array)
    #expect(
      throws: CodecError("column: expected one above gradientNorm, found gradientNorm")
    ) { try Blob.named("log.body").read(damaged) }
  }

  /// Replaces the only place where four bytes stand, and makes the checksum match.
  private static func replacing(
    _ old: [UInt8],
    by new: UInt32,
    in bytes: [UInt8]
  ) throws -> [UInt8] {
    let places = bytes.indices.dropLast(3).filter { Array(bytes[$0..<$0 + 4]) == old }
    let place = try #require(places.count == 1 ? places.first : nil)
    var bytes = bytes
    for byte in 0..<4 { bytes[place + byte] = UInt8(truncatingIfNeeded: new >> UInt32(8 * byte)) }
    reseal(&bytes, isChunk: false)
    return bytes
  }

  @Test("random bytes are refused or read as something", arguments: Blob.all)
  func noise(blob: Blob) {
    var random = SeededGenerator(seed: 78)
    for round in 0..<4000 {
      var bytes = (0..<Int.random(in: 0..<200, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      if round % 2 == 0, bytes.count > 10 {
        bytes[0] = 1
        bytes[1] = 0
        if blob.name == "chunks.body" { bytes.replaceSubrange(2..<5, with: [3, 0, 2]) }
        Self.reseal(&bytes, isChunk: blob.name == "chunks.body")
      }
      do throws(CodecError) {
        _ = try blob.read(bytes)
      } catch {
        #expect(!error.detail.isEmpty)
      }
    }
  }

  private static func hexadecimal(_ byte: UInt8) -> String {
    String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
  }

  /// Makes the checksums match what the bytes are now.
  private static func reseal(_ bytes: inout [UInt8], isChunk: Bool) {
    func sum(_ range: Range<Int>) -> [UInt8] {
      let sum = bytes.withUnsafeBytes { Checksum.of(.init(rebasing: $0[range])) }
      return (0..<4).map { UInt8(truncatingIfNeeded: sum >> UInt32(8 * $0)) }
    }
    guard isChunk else {
      bytes.replaceSubrange((bytes.count - 4)..., with: sum(0..<bytes.count - 4))
      return
    }
    let header = 5 + 10 * Int(bytes[4])
    guard header + 4 <= bytes.count else { return }
    var payload = header + 4
    for entry in stride(from: 5, to: header, by: 10) {
      let size = (0..<4).reduce(0) { $0 | Int(bytes[entry + 2 + $1]) << (8 * $1) }
      guard size <= bytes.count - payload else { break }
      bytes.replaceSubrange(entry + 6..<entry + 10, with: sum(payload..<payload + size))
      payload += size
    }
    bytes.replaceSubrange(header..<header + 4, with: sum(0..<header))
  }
}
