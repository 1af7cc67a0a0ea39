/// The bytes of a detector's snapshot: the state as the detector wrote it, in a frame.
package enum SnapshotCodec {
  /// Appends a state.
  package static func write(_ state: [UInt8], to writer: inout ByteWriter) {
    BlobFrame.write(to: &writer) { (writer: inout ByteWriter) in writer.append(elements: state) }
  }

  /// Reads a state.
  ///
  /// - Throws: ``CodecError`` for any bytes that ``write(_:to:)`` doesn't write.
  package static func read(_ bytes: UnsafeRawBufferPointer) throws(CodecError) -> [UInt8] {
    var reader = try BlobFrame.open(bytes)
    return try reader.readElements(reader.remaining)
  }
}
