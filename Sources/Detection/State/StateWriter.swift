/// Writes a detector's state: whole numbers as little-endian 64-bit words, text with its length.
struct StateWriter: StateCoder {
  /// What was written.
  private(set) var bytes: [UInt8] = []

  mutating func code(_ value: inout UInt64) throws(SnapshotError) { append(value) }

  mutating func code(_ values: inout [Float]) throws(SnapshotError) {
    append(UInt64(values.count))
    bytes.reserveCapacity(bytes.count + 4 * values.count)
    for value in values {
      withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }
  }

  mutating func code(_ value: inout String) throws(SnapshotError) {
    append(UInt64(value.utf8.count))
    bytes.append(contentsOf: value.utf8)
  }

  func malformed() -> SnapshotError { .malformed(offset: bytes.count) }

  /// Appends one word.
  mutating func append(_ value: UInt64) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }
}
