/// Integers that all have the width of the largest, so that any of them can be read alone.
///
/// ```
/// ┌────────────┬────────────────────────────────────────┐
/// │ width <1b> │ values <width each; none at width 0>   │
/// └────────────┴────────────────────────────────────────┘
/// ```
///
/// Widths are 0 (all values are 0, as NaN counts are), 1, 2, 4 and 8. The number of values is
/// stored beside the column. Signed values are folded: 0, -1, 1, -2 become 0, 1, 2, 3.
struct IntegerColumn {
  /// The number of values.
  let count: Int
  /// Whether all values are 0.
  var isZero: Bool { width == 0 }
  /// The bytes of a value.
  let width: Int
  private let start: Int

  /// Reads and checks a column of `count` values.
  init(_ count: Int, from reader: inout ByteReader) throws(CodecError) {
    let position = reader.position
    width = Int(try reader.read(UInt8.self))
    switch width {
    case 0, 1, 2, 4, 8: break
    default:
      throw .unexpected("byte \(position)", expected: "width 0, 1, 2, 4 or 8", found: "\(width)")
    }
    let (size, overflow) = count.multipliedReportingOverflow(by: width)
    start = try reader.take(overflow ? Int.max : size)
    self.count = count
  }

  /// One value.
  ///
  /// - Precondition: `index` is below ``count``, and `bytes` are those that the column was
  ///   read from.
  @inline(__always)
  func value(_ index: Int, in bytes: UnsafeRawBufferPointer) -> UInt64 {
    precondition(index >= 0 && index < count, "an index beyond the column")
    switch width {
    case 0: return 0
    case 1: return UInt64(bytes[start &+ index])
    case 2:
      return UInt64(
        bytes.loadUnaligned(fromByteOffset: start &+ 2 &* index, as: UInt16.self)
      )
    case 4:
      return UInt64(
        bytes.loadUnaligned(fromByteOffset: start &+ 4 &* index, as: UInt32.self)
      )
    default: return bytes.loadUnaligned(fromByteOffset: start &+ 8 &* index, as: UInt64.self)
    }
  }

  /// One value of a column of signed integers, if it fits.
  func signed(_ index: Int, in bytes: UnsafeRawBufferPointer) throws(CodecError) -> Int32 {
    try Self.unfold(value(index, in: bytes), at: index)
  }

  /// Calls `body` with some values, in order.
  ///
  /// - Precondition: As of ``value(_:in:)``.
  @inline(__always)
  func forEach(
    _ indices: Range<Int>,
    in bytes: UnsafeRawBufferPointer,
    _ body: (_ index: Int, _ value: UInt64) -> Void
  ) {
    precondition(indices.lowerBound >= 0 && indices.upperBound <= count, "beyond the column")
    guard width > 0 else {
      for index in indices { body(index, 0) }
      return
    }
    switch width {
    case 1: forEach(indices, as: UInt8.self, in: bytes, body)
    case 2: forEach(indices, as: UInt16.self, in: bytes, body)
    case 4: forEach(indices, as: UInt32.self, in: bytes, body)
    default: forEach(indices, as: UInt64.self, in: bytes, body)
    }
  }

  @inline(__always)
  private func forEach<Stored: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
    _ indices: Range<Int>,
    as type: Stored.Type,
    in bytes: UnsafeRawBufferPointer,
    _ body: (_ index: Int, _ value: UInt64) -> Void
  ) {
    var offset = start &+ indices.lowerBound &* MemoryLayout<Stored>.size
    for index in indices {
      body(index, UInt64(bytes.loadUnaligned(fromByteOffset: offset, as: Stored.self)))
      offset &+= MemoryLayout<Stored>.size
    }
  }

  /// All values.
  func values(in bytes: UnsafeRawBufferPointer) -> [UInt64] {
    (0..<count).map { value($0, in: bytes) }
  }

  /// All values, if they fit.
  func values<Value: FixedWidthInteger & UnsignedInteger>(
    in bytes: UnsafeRawBufferPointer,
    as type: Value.Type
  ) throws(CodecError) -> [Value] {
    var values: [Value] = []
    values.reserveCapacity(count)
    for index in 0..<count {
      guard let value = Value(exactly: value(index, in: bytes)) else {
        throw .unexpected("integer \(index)", expected: "a \(Value.self)", found: "a larger one")
      }
      values.append(value)
    }
    return values
  }

  /// All values of a column of signed integers, if they fit.
  func signedValues(in bytes: UnsafeRawBufferPointer) throws(CodecError) -> [Int32] {
    var values: [Int32] = []
    values.reserveCapacity(count)
    for index in 0..<count { values.append(try signed(index, in: bytes)) }
    return values
  }

  /// Appends a column; of `leastWidth` 1, one of zeros takes a byte for each.
  static func write<Value: FixedWidthInteger & UnsignedInteger>(
    _ values: [Value],
    leastWidth: Int = 0,
    to writer: inout ByteWriter
  ) {
    values.withUnsafeBufferPointer { write($0, leastWidth: leastWidth, to: &writer) }
  }

  /// Appends a column, likewise.
  static func write<Value: FixedWidthInteger & UnsignedInteger>(
    _ values: UnsafeBufferPointer<Value>,
    leastWidth: Int = 0,
    to writer: inout ByteWriter
  ) {
    var all: Value = 0
    for value in values { all |= value }
    switch UInt64(all) {
    case 0 where leastWidth == 0 || values.isEmpty: writer.append(UInt8(0))
    case ...0xff: write(values, as: UInt8.self, to: &writer)
    case ...0xffff: write(values, as: UInt16.self, to: &writer)
    case ...0xffff_ffff: write(values, as: UInt32.self, to: &writer)
    default: write(values, as: UInt64.self, to: &writer)
    }
  }

  /// Appends a column of signed integers.
  static func write(signed values: [Int32], to writer: inout ByteWriter) {
    write(values.map(fold), to: &writer)
  }

  /// A signed integer as an unsigned one.
  static func fold(_ value: Int32) -> UInt32 { UInt32(bitPattern: value &<< 1 ^ value &>> 31) }

  /// The signed integer of a folded one, if it fits.
  static func unfold(_ value: UInt64, at index: Int) throws(CodecError) -> Int32 {
    guard let folded = UInt32(exactly: value) else {
      throw .unexpected("integer \(index)", expected: "an Int32", found: "a larger one")
    }
    return Int32(bitPattern: folded &>> 1 ^ (0 &- folded & 1))
  }

  private static func write<
    Value: FixedWidthInteger & UnsignedInteger,
    Stored: FixedWidthInteger & UnsignedInteger & BitwiseCopyable
  >(_ values: UnsafeBufferPointer<Value>, as type: Stored.Type, to writer: inout ByteWriter) {
    let width = MemoryLayout<Stored>.size
    writer.append(UInt8(width))
    let base = writer.reserve(values.count * width)
    for index in 0..<values.count {
      base.storeBytes(
        of: Stored(truncatingIfNeeded: values[index]),
        toByteOffset: index &* width,
        as: Stored.self
      )
    }
    writer.advance(by: values.count * width)
  }
}
