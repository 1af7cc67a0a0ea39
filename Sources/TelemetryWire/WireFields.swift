/// The fields of one protobuf message, in order, without their meaning.
///
/// It refers to the bytes that it was made from and lives no longer than they do.
struct WireFields {
  /// One field.
  struct Field {
    /// The field's number.
    var number: UInt64
    /// Where the field starts, its tag included.
    var start: Int
    /// The content of a length-delimited field; `nil` if it is of another form.
    var content: Range<Int>?
    /// Where the next field starts.
    var end: Int
  }

  private let bytes: UnsafeRawBufferPointer
  private var position: Int
  private let end: Int

  /// Reads the fields of the message in `range`.
  init(_ bytes: UnsafeRawBufferPointer, in range: Range<Int>) {
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
  }

  /// Whether no field is left.
  var isAtEnd: Bool { position == end }

  /// The next field; `nil` if the bytes are none, or of a form that proto3 does not have.
  mutating func next() -> Field? {
    let start = position
    guard let tag = readVarint(), tag >> 3 > 0 else { return nil }
    var content: Range<Int>?
    let size: UInt64
    switch tag & 7 {
    case 0:
      guard readVarint() != nil else { return nil }
      size = 0
    case 1: size = 8
    case 2:
      guard let length = readVarint() else { return nil }
      size = length
    case 5: size = 4
    default: return nil
    }
    guard size <= UInt64(end - position) else { return nil }
    if tag & 7 == 2 { content = position..<position + Int(size) }
    position += Int(size)
    return Field(number: tag >> 3, start: start, content: content, end: position)
  }

  private mutating func readVarint() -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    // A varint has at most ten bytes.
    while position < end, shift < 70 {
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    return nil
  }
}
