import Telemetry

/// The values of a chunk's column as they are stored, checked but not yet taken apart.
///
/// Valid as long as the chunk's bytes, and until the inflater that it was read with is used again.
struct StoredColumn {
  /// What the bits of a value are.
  enum Form {
    /// A Float's, of 4 bytes.
    case float
    /// A Double's, of 8 bytes.
    case double
    /// An integer of 4 or 8 bytes.
    case integer
  }

  /// How values lie in the bytes that hold them.
  enum Arrangement {
    /// One, which all rows have.
    case constant
    /// One after the other.
    case plain
    /// The lowest bytes of all of them first, then the next.
    case planes
  }

  /// The rows that have a value, at least one.
  let rows: RowSet
  /// How many these are.
  let count: Int

  private let arrangement: Arrangement
  private let width: Int
  private let bytes: UnsafeRawBufferPointer

  /// The values of `rows`, of 4 or 8 bytes each: one of them if all are the same, else all.
  init(
    _ arrangement: Arrangement,
    _ bytes: UnsafeRawBufferPointer,
    width: Int,
    rows: RowSet
  ) {
    self.rows = rows
    self.count = rows.count
    self.arrangement = arrangement
    self.width = width
    self.bytes = bytes
  }

  /// The one value that all rows have, if it is stored so.
  var constant: UInt64? { arrangement == .constant ? plain(0) : nil }

  /// The values' bits, one a row in ``rows``.
  var bits: [UInt64] { map { $0 } }

  /// The values as numbers: floats widened, integers above 2^53 rounded.
  func numbers(_ form: Form) -> [Double] {
    switch form {
    case .float: map { Double(Float(bitPattern: UInt32(truncatingIfNeeded: $0))) }
    case .double: map { Double(bitPattern: $0) }
    case .integer: map { Double($0) }
    }
  }

  /// What `number` makes of each value's bits.
  ///
  /// Inlined with a loop for each arrangement, so that each is compiled to vector instructions.
  @inline(__always)
  private func map<Value: BitwiseCopyable>(_ number: (UInt64) -> Value) -> [Value] {
    if let constant { return [Value](repeating: number(constant), count: count) }
    return [Value](unsafeUninitializedCapacity: count) { values, initialized in
      initialized = count
      guard let values = values.baseAddress, let bytes = bytes.baseAddress else { return }
      switch (arrangement, width) {
      case (.planes, 4):
        for index in 0..<count {
          let low = UInt32(bytes.byte(index)) | UInt32(bytes.byte(count &+ index)) &<< 8
          let high =
            UInt32(bytes.byte(2 &* count &+ index)) | UInt32(bytes.byte(3 &* count &+ index)) &<< 8
          values[index] = number(UInt64(low | high &<< 16))
        }
      case (.planes, _):
        for index in 0..<count {
          var bits: UInt64 = 0
          for plane in 0..<8 {
            bits |= UInt64(bytes.byte(plane &* count &+ index)) &<< UInt64(8 &* plane)
          }
          values[index] = number(bits)
        }
      default: for index in 0..<count { values[index] = number(plain(index)) }
      }
    }
  }

  @inline(__always)
  private func plain(_ index: Int) -> UInt64 {
    width == 8
      ? bytes.loadUnaligned(fromByteOffset: 8 &* index, as: UInt64.self)
      : UInt64(bytes.loadUnaligned(fromByteOffset: 4 &* index, as: UInt32.self))
  }
}

extension UnsafeRawPointer {
  @inline(__always)
  fileprivate func byte(_ offset: Int) -> UInt8 { load(fromByteOffset: offset, as: UInt8.self) }
}
