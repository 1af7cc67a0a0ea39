#if _endian(big)
#error("stored columns are copied as they lie in memory, which has to be little-endian")
#endif

/// Bytes that grow: where every codec writes.
///
/// Its own memory and not an array, because the log's loop reuses it from report to report, hands
/// it to SQLite without a copy, and stores counts wider than they are before it moves on.
package struct ByteWriter: ~Copyable {
  private var base: UnsafeMutableRawPointer
  private var capacity: Int
  /// The number of bytes written.
  package private(set) var count = 0

  /// Makes an empty writer.
  package init(capacity: Int = 4096) {
    self.capacity = Swift.max(capacity, 64)
    base = .allocate(byteCount: self.capacity, alignment: 16)
  }

  deinit { base.deallocate() }

  /// The bytes written; valid until the next write.
  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  /// The bytes written, copied.
  package var array: [UInt8] { Array(bytes) }

  /// Forgets the bytes written, and keeps the memory.
  package mutating func removeAll() { count = 0 }

  /// Forgets the bytes from `count` on.
  ///
  /// - Precondition: At least as many were written.
  mutating func truncate(to count: Int) {
    precondition(count >= 0 && count <= self.count, "bytes not written yet")
    self.count = count
  }

  /// Makes room for `size` more bytes, and returns where they go.
  @inline(__always)
  package mutating func reserve(_ size: Int) -> UnsafeMutableRawPointer {
    if capacity &- count < size { grow(by: size) }
    return base + count
  }

  /// Counts bytes that were written where ``reserve(_:)`` said.
  ///
  /// - Precondition: At most as many as were reserved.
  @inline(__always)
  package mutating func advance(by size: Int) {
    precondition(size <= capacity &- count, "bytes beyond the reservation")
    count &+= size
  }

  /// Appends an integer, little-endian.
  @inline(__always)
  package mutating func append<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
    reserve(MemoryLayout<Value>.size).storeBytes(of: value, as: Value.self)
    count &+= MemoryLayout<Value>.size
  }

  /// Appends a number's bit pattern.
  package mutating func append(_ value: Double) { append(value.bitPattern) }

  /// Appends bytes.
  package mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress, !bytes.isEmpty else { return }
    reserve(bytes.count).copyMemory(from: source, byteCount: bytes.count)
    count &+= bytes.count
  }

  /// Appends the elements as they lie in memory, without their number.
  package mutating func append<Element: BitwiseCopyable>(elements: [Element]) {
    elements.withUnsafeBytes { append($0) }
  }

  /// Appends the number of elements in 4 bytes, and then the elements.
  package mutating func append<Element: BitwiseCopyable>(counted elements: [Element]) {
    append(UInt32(elements.count))
    append(elements: elements)
  }

  /// Appends a text's UTF-8 with its length in 4 bytes.
  package mutating func append(_ text: String) {
    var text = text
    text.withUTF8 { utf8 in
      append(UInt32(utf8.count))
      append(UnsafeRawBufferPointer(utf8))
    }
  }

  /// Appends whether there is a value, and then the value.
  package mutating func append<Value: FixedWidthInteger & BitwiseCopyable>(optional value: Value?) {
    append(UInt8(value == nil ? 0 : 1))
    if let value { append(value) }
  }

  /// Appends an integer in groups of seven bits, the lowest first, all but the last with the eighth bit set.
  mutating func append(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest &>>= 7
    }
    append(UInt8(rest))
  }

  /// The bytes that ``append(varint:)`` takes.
  static func varintSize(_ value: UInt64) -> Int { (70 - (value | 1).leadingZeroBitCount) / 7 }

  /// Overwrites 4 bytes that were written before.
  package mutating func replace(at position: Int, with value: UInt32) {
    precondition(position >= 0 && position + 4 <= count, "bytes not written yet")
    base.storeBytes(of: value, toByteOffset: position, as: UInt32.self)
  }

  /// Overwrites 1 byte that was written before.
  package mutating func replaceByte(at position: Int, with value: UInt8) {
    precondition(position >= 0 && position < count, "a byte not written yet")
    base.storeBytes(of: value, toByteOffset: position, as: UInt8.self)
  }

  private mutating func grow(by size: Int) {
    let larger = Swift.max(capacity * 2, count + size)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
    memory.copyMemory(from: base, byteCount: count)
    base.deallocate()
    base = memory
    capacity = larger
  }
}
