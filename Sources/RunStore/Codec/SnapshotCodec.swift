/// The bytes of a detector's snapshot: the state as the detector wrote it, in a frame.
package enum SnapshotCodec {
  /// Appends a state, compressed if that makes it smaller.
  package static func write(
    _ state: [UInt8],
    to writer: inout ByteWriter,
    _ deflater: Deflater
  ) {
    BlobFrame.write(to: &writer, deflater) { (writer: inout ByteWriter) in
      writer.append(elements: state)
    }
  }

  /// Reads a state.
  ///
  /// - Throws: ``CodecError`` for any bytes that ``write(_:to:_:)`` doesn't write.
  package static func read(_ bytes: UnsafeRawBufferPointer) throws(CodecError) -> [UInt8] {
    try BlobFrame.read(bytes) { (reader: inout ByteReader) throws(CodecError) in
      try reader.readElements(reader.remaining)
    }
  }
}
