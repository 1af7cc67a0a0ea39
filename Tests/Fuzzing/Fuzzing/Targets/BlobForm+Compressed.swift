import RunStore
import TelemetryTesting

extension BlobForm {
  /// The codec of a frame, or the layout of a chunk's column, that is compressed.
  private static let compressed: UInt8 = 1
  private static let packed: UInt8 = 4
  /// Version, codec and the size that the content had.
  private static let frameHeader = 6

  /// Changes what a compressed frame holds, and compresses it again: a change of the compressed bytes themselves hardly
  /// ever gets past the decompression.
  ///
  /// - Returns: Whether the blob is such a frame.
  static func changeContent(
    _ bytes: inout [UInt8],
    _ pool: [[UInt8]],
    _ random: inout SeededGenerator
  ) -> Bool {
    guard bytes.count > frameHeader + 4, bytes[1] == compressed,
      var content = inflate(bytes[frameHeader..<bytes.count - 4], size: number(bytes, at: 2))
    else { return false }
    Mutation.change(&content, pool: pool.filter { $0.count > 1 && $0[1] != compressed }, &random)
    let frame = deflate(content)
    // Now and then the size is another than that of the content.
    let size =
      Int.random(in: 0..<16, using: &random) == 0
      ? UInt32(truncatingIfNeeded: Mutation.edge(&random)) : UInt32(content.count)
    bytes.replaceSubrange(2..., with: littleEndian(size) + frame + [0, 0, 0, 0])
    return true
  }

  /// Puts a frame of other content, perhaps of another size, in the place of a column of a chunk.
  static func changeColumn(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
    guard bytes.count > header, bytes[4] > 0 else { return }
    let columns = Int(bytes[4])
    let directory = header + columns * entry
    let chosen = Int.random(in: 0..<columns, using: &random)
    let place = header + chosen * entry
    let start =
      (0..<chosen).reduce(directory + 4) { $0 + number(bytes, at: header + $1 * entry + 2) }
    let size = number(bytes, at: place + 2)
    let rows = Int(bytes[2]) | Int(bytes[3]) << 8
    guard start + size <= bytes.count, rows <= RowSet.maximumRows else { return }
    let counts = [4 * rows, 8 * rows, 4 * rows + 1, 8 * rows - 1, 0, 1, 1 << 20]
    let byte = UInt8.random(in: 0...255, using: &random)
    var content = [UInt8](repeating: byte, count: counts.randomElement(using: &random) ?? 0)
    if content.count < 1 << 16 { Mutation.change(&content, pool: [], &random) }
    let isSparse = Bool.random(using: &random)
    let present =
      isSparse ? (0..<(rows + 7) / 8).map { _ in UInt8.random(in: 0...255, using: &random) } : []
    let column = present + deflate(content)
    bytes[place + 1] = packed | (isSparse ? 1 : 0)
    bytes.replaceSubrange(place + 2..<place + 6, with: littleEndian(UInt32(column.count)))
    bytes.replaceSubrange(start..<start + size, with: column)
  }

  /// Changes one of the parts that stand end to end, each behind its size; what is no such row of parts is changed as bytes.
  func changePart(_ bytes: inout [UInt8], _ pool: [[UInt8]], _ random: inout SeededGenerator) {
    guard var parts = Self.parts(bytes), let chosen = parts.indices.randomElement(using: &random)
    else {
      Mutation.change(&bytes, pool: pool, &random)
      return
    }
    switch Int.random(in: 0..<16, using: &random) {
    case 0: Mutation.change(&bytes, pool: pool, &random)
    case 1: parts.swapAt(chosen, Int.random(in: parts.indices, using: &random))
    case 2:
      // The same column of another, or another column.
      let other = pool.randomElement(using: &random).flatMap(Self.parts) ?? parts
      if let part = other.randomElement(using: &random) { parts[chosen] = part }
    case 3: parts.remove(at: chosen)
    default: BlobForm.chunk.change(&parts[chosen], [], &random)
    }
    bytes = parts.flatMap { Self.littleEndian(UInt32($0.count)) + $0 }
  }

  private static func parts(_ bytes: [UInt8]) -> [[UInt8]]? {
    var parts: [[UInt8]] = []
    var place = 0
    while place < bytes.count {
      guard place + 4 <= bytes.count else { return nil }
      let size = number(bytes, at: place)
      guard size <= bytes.count - place - 4 else { return nil }
      parts.append(Array(bytes[place + 4..<place + 4 + size]))
      place += 4 + size
    }
    return parts
  }

  private static func inflate(_ bytes: ArraySlice<UInt8>, size: Int) -> [UInt8]? {
    // Of what was changed before, the size may be anything.
    guard size <= 1 << 20 else { return nil }
    let inflater = Inflater()
    return bytes.withUnsafeBytes { frame in
      do throws(CodecError) {
        return Array(try inflater.inflate(frame, size: size))
      } catch {
        return nil
      }
    }
  }

  /// A frame of these bytes; those that can't be made fewer, as they are.
  private static func deflate(_ bytes: [UInt8]) -> [UInt8] {
    let deflater = Deflater()
    return bytes.withUnsafeBytes { deflater.deflate($0, .standard).map { Array($0) } } ?? bytes
  }

  private static func number(_ bytes: [UInt8], at place: Int) -> Int {
    (0..<4).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
  }

  private static func littleEndian(_ number: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: number >> UInt32(8 * $0)) }
  }
}
