import TelemetryTesting

/// Changes of bytes that find what lengths, counts and tags are taken for.
enum Mutation {
  /// Numbers at which something overflows, ends or begins.
  private static let edges: [UInt64] = [
    0, 1, 2, 3, 7, 8, 9, 15, 16, 127, 128, 129, 255, 256, 257, 1023, 32_767, 32_768, 65_535,
    65_536, 131_072, 131_073, 0x7fff_fffe, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff,
    0x1_0000_0000, 0x7fff_ffff_ffff_fffe, 0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000,
    0x7ff0_0000_0000_0000, 0x7ff8_0000_0000_0001, 0xfff0_0000_0000_0000, 0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
  ]

  /// One of the numbers at the edges.
  static func edge(_ random: inout SeededGenerator) -> UInt64 {
    edges[Int.random(in: edges.indices, using: &random)]
  }

  /// Makes one to six changes within `range` to the end; what stands before it stays.
  static func change(
    _ bytes: inout [UInt8],
    from start: Int = 0,
    pool: [[UInt8]],
    _ random: inout SeededGenerator
  ) {
    var changes = 1
    while changes < 6, Bool.random(using: &random) { changes += 1 }
    for _ in 0..<changes { changeOnce(&bytes, from: start, pool: pool, &random) }
  }

  private static func changeOnce(
    _ bytes: inout [UInt8],
    from start: Int,
    pool: [[UInt8]],
    _ random: inout SeededGenerator
  ) {
    guard bytes.count > start else {
      bytes.append(UInt8.random(in: 0...255, using: &random))
      return
    }
    let place = Int.random(in: start..<bytes.count, using: &random)
    let length = min(Int.random(in: 1...16, using: &random), bytes.count - place)
    switch Int.random(in: 0..<11, using: &random) {
    case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 1: bytes[place] = UInt8.random(in: 0...255, using: &random)
    case 2: bytes[place] &+= Bool.random(using: &random) ? 1 : 255
    case 3, 4, 5:
      // A number of 1, 2, 4 or 8 bytes, wherever it may stand.
      let width = min(1 << Int.random(in: 0..<4, using: &random), bytes.count - place)
      let edge = edge(&random)
      for byte in 0..<width {
        bytes[place + byte] = UInt8(truncatingIfNeeded: edge >> UInt64(8 * byte))
      }
    case 6: bytes.removeSubrange(place..<place + length)
    case 7: bytes.insert(contentsOf: bytes[place..<place + length], at: place)
    case 8: bytes.removeSubrange(place...)
    case 9:
      guard let other = pool.randomElement(using: &random), !other.isEmpty else { return }
      let from = Int.random(in: other.indices, using: &random)
      bytes.replaceSubrange(place..., with: other[from...])
    default:
      guard let other = pool.randomElement(using: &random), !other.isEmpty else { return }
      let from = Int.random(in: other.indices, using: &random)
      let part = other[from..<min(from + length, other.count)]
      bytes.replaceSubrange(place..<min(place + part.count, bytes.count), with: part)
    }
  }
}
