/// A value that a statement takes.
enum SQLValue {
  case null
  case integer(Int64)
  case real(Double)
  case text(String)
  /// Bytes that live until the statement was run.
  case blob(UnsafeRawBufferPointer)

  /// A number that may be absent.
  static func integer(_ value: Int64?) -> SQLValue { value.map { .integer($0) } ?? .null }

  /// A step or sequence number; both stay below 2^63.
  static func number(_ value: UInt64) -> SQLValue { .integer(Int64(clamping: value)) }

  /// A step or sequence number that may be absent.
  static func number(_ value: UInt64?) -> SQLValue { value.map { .number($0) } ?? .null }

  /// A number that may be absent.
  static func real(_ value: Double?) -> SQLValue { value.map { .real($0) } ?? .null }
}
