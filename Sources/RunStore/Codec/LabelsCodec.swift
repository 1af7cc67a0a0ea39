/// The bytes of a run's tags and hyper-parameters, and of lists and dictionaries of text elsewhere.
package enum LabelsCodec {
  /// Appends tags and hyper-parameters.
  package static func write(
    tags: [String],
    hyperparameters: [String: String],
    to writer: inout ByteWriter
  ) {
    BlobFrame.write(to: &writer) { (writer: inout ByteWriter) in
      writer.append(UInt32(tags.count))
      for tag in tags { writer.append(tag) }
      write(hyperparameters, to: &writer)
    }
  }

  /// Reads tags and hyper-parameters.
  ///
  /// - Throws: ``CodecError`` for any bytes that ``write(tags:hyperparameters:to:)`` doesn't write.
  package static func read(
    _ bytes: UnsafeRawBufferPointer
  ) throws(CodecError) -> (tags: [String], hyperparameters: [String: String]) {
    var reader = try BlobFrame.open(bytes)
    let tags = try readNames(from: &reader)
    let hyperparameters = try readPairs(from: &reader)
    try reader.finish()
    return (tags, hyperparameters)
  }

  /// Appends a dictionary, sorted by key so that equal ones have equal bytes.
  static func write(_ pairs: [String: String], to writer: inout ByteWriter) {
    writer.append(UInt32(pairs.count))
    for (key, value) in pairs.sorted(by: { $0.key < $1.key }) {
      writer.append(key)
      writer.append(value)
    }
  }

  /// Reads a list of texts.
  static func readNames(from reader: inout ByteReader) throws(CodecError) -> [String] {
    var names: [String] = []
    for _ in 0..<(try reader.readEntryCount(atLeast: 4)) { names.append(try reader.readString()) }
    return names
  }

  /// Reads a dictionary.
  static func readPairs(from reader: inout ByteReader) throws(CodecError) -> [String: String] {
    var pairs: [String: String] = [:]
    for _ in 0..<(try reader.readEntryCount(atLeast: 8)) {
      let key = try reader.readString()
      pairs[key] = try reader.readString()
    }
    return pairs
  }
}
