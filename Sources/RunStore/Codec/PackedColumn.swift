/// Integers, each as many bits as the largest needs, or the largest less the smallest; any of them can be read alone.
///
/// ```
/// ┌─────────────────────────────┬─────────────────────────────┬───────────────────────────┐
/// │ width, and 128: based <1b>  │ smallest <varint>, if based │ values <width bits each>  │
/// └─────────────────────────────┴─────────────────────────────┴───────────────────────────┘
/// ```
///
/// The first value stands in the low bits of the first byte. The number of values is stored beside the column. Widths are 0 (all
/// values are the same) to 56, and 64: a value can be read from one word of 8 bytes, so there must be ``slack`` bytes behind the
/// last of some columns, which whoever reads columns keeps back first.
struct PackedColumn {
  /// The bytes that have to follow the last column.
  static let slack = 8

  private static let basedFlag: UInt8 = 128
  private static let widestPart = 56

  /// Where the values start.
  let start: Int
  /// The bits of a value.
  let width: Int
  /// What is added to each.
  let base: UInt64
  private let mask: UInt64

  /// Reads and checks a column of `count` values.
  init(_ count: Int, from reader: inout ByteReader) throws(CodecError) {
    let position = reader.position
    let head = try reader.read(UInt8.self)
    width = Int(head & ~Self.basedFlag)
    guard width <= Self.widestPart || width == 64 else {
      throw .unexpected("byte \(position)", expected: "width 0 to 56, or 64", found: "\(width)")
    }
    base = head & Self.basedFlag == 0 ? 0 : try reader.readVarint()
    mask = width == 0 ? 0 : ~0 &>> UInt64(64 &- width)
    start = try reader.take(Self.size(count, width))
  }

  /// One value.
  ///
  /// - Precondition: `index` is below the number of values, and `bytes` are those that the column was read from.
  @inline(__always)
  func value(_ index: Int, in bytes: UnsafeRawBufferPointer) -> UInt64 {
    let bit = index &* width
    let word = bytes.loadUnaligned(fromByteOffset: start &+ bit &>> 3, as: UInt64.self)
    return base &+ ((word &>> UInt64(truncatingIfNeeded: bit & 7)) & mask)
  }

  /// The sum of some values, modulo 2^64.
  ///
  /// - Precondition: As of ``value(_:in:)``.
  @inline(__always)
  func sum(_ indices: Range<Int>, in bytes: UnsafeRawBufferPointer) -> UInt64 {
    var sum = base &* UInt64(truncatingIfNeeded: indices.count)
    var bit = indices.lowerBound &* width
    for _ in indices {
      let word = bytes.loadUnaligned(fromByteOffset: start &+ bit &>> 3, as: UInt64.self)
      sum &+= (word &>> UInt64(truncatingIfNeeded: bit & 7)) & mask
      bit &+= width
    }
    return sum
  }

  /// All values of a column of `count`.
  func values(_ count: Int, in bytes: UnsafeRawBufferPointer) -> [UInt64] {
    (0..<count).map { value($0, in: bytes) }
  }

  /// All values of a column of signed integers, which are folded as in ``IntegerColumn``, if they fit.
  func signedValues(_ count: Int, in bytes: UnsafeRawBufferPointer) throws(CodecError) -> [Int32] {
    var values: [Int32] = []
    values.reserveCapacity(count)
    for index in 0..<count {
      values.append(try IntegerColumn.unfold(value(index, in: bytes), at: index))
    }
    return values
  }

  /// Appends a column.
  static func write<Value: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
    _ values: UnsafeBufferPointer<Value>,
    to writer: inout ByteWriter
  ) {
    guard let first = values.first else { return writer.append(UInt8(0)) }
    var (smallest, largest) = (first, first)
    for value in values {
      smallest = value < smallest ? value : smallest
      largest = value > largest ? value : largest
    }
    let (whole, part) = (width(of: largest), width(of: largest &- smallest))
    let isBased =
      ByteWriter.varintSize(UInt64(smallest)) + size(values.count, part) < size(values.count, whole)
    let width = isBased ? part : whole
    writer.append(UInt8(width) | (isBased ? basedFlag : 0))
    if isBased { writer.append(varint: UInt64(smallest)) }
    let size = size(values.count, width)
    let target = writer.reserve(size + MemoryLayout<UInt64>.size)
    if width > 0 { pack(values, less: isBased ? smallest : 0, width, at: target) }
    writer.advance(by: size)
  }

  /// Appends a column.
  static func write<Value: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
    _ values: [Value],
    to writer: inout ByteWriter
  ) {
    values.withUnsafeBufferPointer { write($0, to: &writer) }
  }

  /// Appends a column of signed integers.
  static func write(signed values: [Int32], to writer: inout ByteWriter) {
    write(values.map(IntegerColumn.fold), to: &writer)
  }

  /// The bytes of `count` values.
  private static func size(_ count: Int, _ width: Int) -> Int { (count &* width &+ 7) &>> 3 }

  private static func width(of value: some FixedWidthInteger) -> Int {
    let bits = UInt64.bitWidth - UInt64(value).leadingZeroBitCount
    return bits > widestPart ? UInt64.bitWidth : bits
  }

  /// Stores values of `width` bits; up to 8 bytes behind them are overwritten.
  private static func pack<Value: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
    _ values: UnsafeBufferPointer<Value>,
    less base: Value,
    _ width: Int,
    at target: UnsafeMutableRawPointer
  ) {
    guard width < UInt64.bitWidth else {
      for (index, value) in values.enumerated() {
        target.storeBytes(of: UInt64(value &- base), toByteOffset: 8 &* index, as: UInt64.self)
      }
      return
    }
    // Fewer than 8 bits wait for what follows.
    var (target, pending, fill): (UnsafeMutableRawPointer, UInt64, Int) = (target, 0, 0)
    @inline(__always)
    func put(_ bits: UInt64, _ count: Int) {
      pending |= bits &<< UInt64(truncatingIfNeeded: fill)
      target.storeBytes(of: pending, as: UInt64.self)
      fill &+= count
      pending = pending &>> UInt64(truncatingIfNeeded: fill & ~7)
      target += fill &>> 3
      fill &= 7
    }
    var index = 0
    if 4 &* width <= widestPart {
      // Four at a time: what one waits for the other is paid once.
      let shift = UInt64(width)
      while index &+ 4 <= values.count {
        let first = UInt64(values[index] &- base) | UInt64(values[index &+ 1] &- base) &<< shift
        let second =
          UInt64(values[index &+ 2] &- base) | UInt64(values[index &+ 3] &- base) &<< shift
        put(first | second &<< (2 &* shift), 4 &* width)
        index &+= 4
      }
    }
    while index < values.count {
      put(UInt64(values[index] &- base), width)
      index &+= 1
    }
    target.storeBytes(of: pending, as: UInt64.self)
  }
}
