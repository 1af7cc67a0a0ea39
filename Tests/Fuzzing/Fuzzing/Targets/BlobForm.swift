import RunStore
import TelemetryTesting

/// Where a blob has its checksums.
enum BlobForm {
  /// One checksum at the end.
  case frame
  /// A chunk: one behind the directory, and one a column in it.
  case chunk
  /// Chunks end to end, each behind its size.
  case parts

  /// The bytes of a chunk's directory a column, and those before it.
  static let entry = 10
  static let header = 5

  /// Changes a blob, and most of the time makes its checksums fit.
  func change(_ bytes: inout [UInt8], _ pool: [[UInt8]], _ random: inout SeededGenerator) {
    switch self {
    case .parts:
      changePart(&bytes, pool, &random)
      return
    case .frame where Bool.random(using: &random) && Self.changeContent(&bytes, pool, &random):
      break
    case .chunk where Int.random(in: 0..<4, using: &random) == 0:
      Self.changeColumn(&bytes, &random)
    default:
      // Version and codec stay, mostly: all else lies behind them.
      let start = Int.random(in: 0..<16, using: &random) == 0 ? 0 : 2
      Mutation.change(&bytes, from: start, pool: pool, &random)
    }
    if Int.random(in: 0..<16, using: &random) != 0 { seal(&bytes) }
  }

  /// Makes the checksums fit what the bytes are now.
  func seal(_ bytes: inout [UInt8]) {
    switch self {
    case .frame:
      guard bytes.count >= 6 else { return }
      Self.put(Self.sum(of: bytes, 0..<bytes.count - 4), into: &bytes, at: bytes.count - 4)
    case .chunk:
      guard bytes.count > 5 else { return }
      let end = Self.header + Self.entry * Int(bytes[4])
      guard end + 4 <= bytes.count else { return }
      var payload = end + 4
      for entry in stride(from: Self.header, to: end, by: Self.entry) {
        let size = (0..<4).reduce(0) { $0 | Int(bytes[entry + 2 + $1]) << (8 * $1) }
        guard size <= bytes.count - payload else { break }
        Self.put(Self.sum(of: bytes, payload..<payload + size), into: &bytes, at: entry + 6)
        payload += size
      }
      Self.put(Self.sum(of: bytes, 0..<end), into: &bytes, at: end)
    case .parts: break
    }
  }

  private static func sum(of bytes: [UInt8], _ range: Range<Int>) -> UInt32 {
    bytes.withUnsafeBytes { Checksum.of(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }

  private static func put(_ sum: UInt32, into bytes: inout [UInt8], at place: Int) {
    for byte in 0..<4 {
      bytes[place + byte] = UInt8(truncatingIfNeeded: sum >> UInt32(8 * byte))
    }
  }
}
