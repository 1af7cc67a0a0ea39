/// Reads what ``StateWriter`` wrote; any bytes give values or an error, never a trap.
struct StateReader: StateCoder {
  private let bytes: ArraySlice<UInt8>
  private var offset: Int

  /// Starts at the first of `bytes`.
  init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    self.offset = bytes.startIndex
  }

  /// Whether everything was read.
  var isAtEnd: Bool { offset == bytes.endIndex }

  mutating func code(_ value: inout UInt64) throws(SnapshotError) {
    value = try littleEndian(of: 8)
  }

  mutating func code(_ values: inout [Float]) throws(SnapshotError) {
    let count = try littleEndian(of: 8)
    guard count == UInt64(values.count) else { throw malformed() }
    guard bytes.endIndex - offset >= 4 * values.count else { throw .truncated(offset: offset) }
    for index in values.indices {
      values[index] = Float(bitPattern: UInt32(truncatingIfNeeded: try littleEndian(of: 4)))
    }
  }

  mutating func code(_ value: inout String) throws(SnapshotError) {
    let count = try littleEndian(of: 8)
    guard count <= UInt64(bytes.endIndex - offset) else { throw .truncated(offset: offset) }
    let end = offset + Int(count)
    // Bad UTF-8 becomes replacement characters: the text is for people.
    value = String(decoding: bytes[offset..<end], as: UTF8.self)
    offset = end
  }

  func malformed() -> SnapshotError { .malformed(offset: offset) }

  private mutating func littleEndian(of size: Int) throws(SnapshotError) -> UInt64 {
    guard bytes.endIndex - offset >= size else { throw .truncated(offset: offset) }
    var value: UInt64 = 0
    for index in 0..<size { value |= UInt64(bytes[offset + index]) << UInt64(8 * index) }
    offset += size
    return value
  }
}
