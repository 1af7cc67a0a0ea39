/// What all stored blobs have in common: a version and a codec in front, a checksum behind.
///
/// ```
/// ┌──────────────┬────────────┬────────────────┬───────────────┐
/// │ version <1b> │ codec <1b> │ content <bytes>│ checksum <4b> │
/// └──────────────┴────────────┴────────────────┴───────────────┘
/// ```
/// Compressed content stands behind the size that it had, in 4 bytes. Blobs of the log are never compressed: they are written
/// where an ack waits, and soon gone.
enum BlobFrame {
  /// The version that is written.
  static let version: UInt8 = 1
  /// The codec of content that is stored as it is.
  static let rawCodec: UInt8 = 0
  /// The codec of content that a ``Deflater`` compressed.
  static let compressedCodec: UInt8 = 1
  /// The bytes before the content.
  static let headerSize = 2
  /// The bytes behind the content.
  static let checksumSize = 4

  /// Writes a blob at the end of `writer`, compressed if there is a deflater and it makes the blob smaller.
  static func write<Failure: Error>(
    to writer: inout ByteWriter,
    _ deflater: Deflater? = nil,
    _ effort: Deflater.Effort = .standard,
    version: UInt8 = BlobFrame.version,
    _ content: (inout ByteWriter) throws(Failure) -> Void
  ) throws(Failure) {
    let start = writer.count
    writer.append(version)
    writer.append(rawCodec)
    try content(&writer)
    if let deflater { compress(from: start + headerSize, in: &writer, deflater, effort) }
    writer.append(Checksum.of(UnsafeRawBufferPointer(rebasing: writer.bytes[start...])))
  }

  private static func compress(
    from start: Int,
    in writer: inout ByteWriter,
    _ deflater: Deflater,
    _ effort: Deflater.Effort
  ) {
    let content = UnsafeRawBufferPointer(rebasing: writer.bytes[start...])
    let size = content.count
    guard let compressed = deflater.deflate(content, effort), compressed.count + 4 < size else {
      return
    }
    writer.truncate(to: start - 1)
    writer.append(compressedCodec)
    writer.append(UInt32(size))
    writer.append(compressed)
  }

  /// Checks version, codec and checksum of a blob, and returns a reader of its content.
  ///
  /// - Parameters:
  ///   - bytes: The blob.
  ///   - inflater: Where compressed content goes; the reader is valid until it is used again. `nil`: the blob is one of those
  ///     that are never compressed.
  ///   - versions: Those that such a blob may have; the first byte says which it is.
  /// - Returns: A reader of the content.
  /// - Throws: ``CodecError`` if the bytes are no blob.
  static func open(
    _ bytes: UnsafeRawBufferPointer,
    _ inflater: Inflater? = nil,
    versions: ClosedRange<UInt8> = version...version
  ) throws(CodecError) -> ByteReader {
    var reader = ByteReader(bytes)
    let codec = try readHeader(
      &reader,
      versions: versions,
      codecs: inflater == nil ? rawCodec : compressedCodec
    )
    guard reader.remaining >= checksumSize else {
      throw .truncated(at: reader.position, expected: checksumSize, found: reader.remaining)
    }
    let end = bytes.count - checksumSize
    try check(bytes, 0..<end, against: bytes.loadUnaligned(fromByteOffset: end, as: UInt32.self))
    let content = ByteReader(bytes, from: headerSize, to: end)
    guard codec == compressedCodec, let inflater else { return content }
    reader = content
    let size = try reader.readCount()
    return ByteReader(
      try inflater.inflate(
        UnsafeRawBufferPointer(rebasing: bytes[reader.position..<end]),
        size: size
      )
    )
  }

  /// Reads the whole content of a blob of version 1, compressed or not.
  static func read<Value>(
    _ bytes: UnsafeRawBufferPointer,
    _ content: (inout ByteReader) throws(CodecError) -> Value
  ) throws(CodecError) -> Value {
    let inflater = Inflater()
    return try withExtendedLifetime(inflater) { () throws(CodecError) in
      var reader = try open(bytes, inflater)
      let value = try content(&reader)
      try reader.finish()
      return value
    }
  }

  /// Reads and checks version and codec.
  ///
  /// - Parameters:
  ///   - reader: At the start of a blob.
  ///   - versions: Those that such a blob may have.
  ///   - codecs: The highest codec that such a blob may have.
  /// - Returns: The codec.
  /// - Throws: ``CodecError`` if either is another.
  @discardableResult
  static func readHeader(
    _ reader: inout ByteReader,
    versions: ClosedRange<UInt8> = version...version,
    codecs: UInt8 = rawCodec
  ) throws(CodecError) -> UInt8 {
    let found = try reader.read(UInt8.self)
    guard versions.contains(found) else {
      throw .unexpected(
        "format version",
        expected: versions.count == 1 ? "\(version)" : "at most \(versions.upperBound)",
        found: "\(found)"
      )
    }
    let codec = try reader.read(UInt8.self)
    guard codec <= codecs else {
      throw .unexpected(
        "codec",
        expected: codecs == rawCodec ? "\(rawCodec)" : "at most \(codecs)",
        found: "\(codec)"
      )
    }
    return codec
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
