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
  private let width: Int
  private let start: Int

  /// Reads and checks a column of `count` values.
  init(_ count: Int, from reader: inout ByteReader) throws(CodecError) {
    let position = reader.position
    width = Int(try reader.read(UInt8.self))
    guard [0, 1, 2, 4, 8].contains(width) else {
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
    let folded = value(index, in: bytes)
    guard let folded = UInt32(exactly: folded) else {
      throw .unexpected("integer \(index)", expected: "an Int32", found: "a larger one")
    }
    return Int32(bitPattern: folded &>> 1 ^ (0 &- folded & 1))
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

  /// Appends a column.
  static func write<Value: FixedWidthInteger & UnsignedInteger>(
    _ values: [Value],
    to writer: inout ByteWriter
  ) {
    let all = values.reduce(0, |)
    switch UInt64(all) {
    case 0: writer.append(UInt8(0))
    case ...0xff: write(values, as: UInt8.self, to: &writer)
    case ...0xffff: write(values, as: UInt16.self, to: &writer)
    case ...0xffff_ffff: write(values, as: UInt32.self, to: &writer)
    default: write(values, as: UInt64.self, to: &writer)
    }
  }

  /// Appends a column of signed integers.
  static func write(signed values: [Int32], to writer: inout ByteWriter) {
    write(values.map { UInt32(bitPattern: $0 &<< 1 ^ $0 &>> 31) }, to: &writer)
  }

  private static func write<
    Value: FixedWidthInteger & UnsignedInteger,
    Stored: FixedWidthInteger & UnsignedInteger & BitwiseCopyable
  >(_ values: [Value], as type: Stored.Type, to writer: inout ByteWriter) {
    let width = MemoryLayout<Stored>.size
    writer.append(UInt8(width))
    let base = writer.reserve(values.count * width)
    for (index, value) in values.enumerated() {
      base.storeBytes(
        of: Stored(truncatingIfNeeded: value),
        toByteOffset: index &* width,
        as: Stored.self
      )
    }
    writer.advance(by: values.count * width)
  }
}
