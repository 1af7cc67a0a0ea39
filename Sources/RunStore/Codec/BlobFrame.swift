/// What all stored blobs have in common: a version and a codec in front, a checksum behind.
///
/// ```
/// ┌──────────────┬────────────┬────────────────┬───────────────┐
/// │ version <1b> │ codec <1b> │ content <bytes>│ checksum <4b> │
/// └──────────────┴────────────┴────────────────┴───────────────┘
/// ```
enum BlobFrame {
  /// The version that is written.
  static let version: UInt8 = 1
  /// The codec of content that is stored as it is.
  static let rawCodec: UInt8 = 0
  /// The bytes before the content.
  static let headerSize = 2
  /// The bytes behind the content.
  static let checksumSize = 4

  /// Writes a blob at the end of `writer`.
  static func write<Failure: Error>(
    to writer: inout ByteWriter,
    _ content: (inout ByteWriter) throws(Failure) -> Void
  ) throws(Failure) {
    let start = writer.count
    writer.append(version)
    writer.append(rawCodec)
    try content(&writer)
    writer.append(Checksum.of(UnsafeRawBufferPointer(rebasing: writer.bytes[start...])))
  }

  /// Checks version, codec and checksum of a blob, and returns a reader of its content.
  static func open(_ bytes: UnsafeRawBufferPointer) throws(CodecError) -> ByteReader {
    var reader = ByteReader(bytes)
    try readHeader(&reader)
    guard reader.remaining >= checksumSize else {
      throw .truncated(at: reader.position, expected: checksumSize, found: reader.remaining)
    }
    let end = bytes.count - checksumSize
    try check(bytes, 0..<end, against: bytes.loadUnaligned(fromByteOffset: end, as: UInt32.self))
    return ByteReader(bytes, from: headerSize, to: end)
  }

  /// Reads and checks version and codec.
  static func readHeader(_ reader: inout ByteReader) throws(CodecError) {
    let found = try reader.read(UInt8.self)
    guard found == version else {
      throw .unexpected("format version", expected: "\(version)", found: "\(found)")
    }
    let codec = try reader.read(UInt8.self)
    guard codec == rawCodec else {
      throw .unexpected("codec", expected: "\(rawCodec)", found: "\(codec)")
    }
  }

  /// Holds bytes against the checksum that was stored with them.
  static func check(
    _ bytes: UnsafeRawBufferPointer,
    _ range: Range<Int>,
    against stored: UInt32
  ) throws(CodecError) {
    let found = Checksum.of(UnsafeRawBufferPointer(rebasing: bytes[range]))
    guard found == stored else {
      throw .unexpected(
        "checksum mismatch",
        expected: hexadecimal(stored),
        found: hexadecimal(found)
      )
    }
  }

  private static func hexadecimal(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}
