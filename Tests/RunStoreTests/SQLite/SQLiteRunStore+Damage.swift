import Foundation
import RunStore
import Testing

extension SQLiteRunStore {
  /// The bytes of a blob of the first row that meets a condition.
  func blob(_ column: String, of table: String, where condition: String) throws -> [UInt8] {
    let digits = try #require(
      try queryOnWriter("SELECT hex(\(column)) FROM \(table) WHERE \(condition)").first
    )
    return Blob.bytes(digits.filter { $0 != "\"" })
  }

  /// Puts other bytes in the place of a blob.
  func replace(
    _ column: String,
    of table: String,
    where condition: String,
    with bytes: [UInt8]
  ) throws {
    let digits = bytes.map { String(format: "%02X", $0) }.joined()
    try executeOnWriter("UPDATE \(table) SET \(column) = x'\(digits)' WHERE \(condition)")
  }

  /// Flips a bit of a blob, in its last byte unless told otherwise; a negative `byte` counts from the end.
  func damage(
    _ column: String,
    of table: String,
    where condition: String,
    byte: Int = -1
  ) throws {
    var bytes = try blob(column, of: table, where: condition)
    bytes[byte < 0 ? bytes.count + byte : byte] ^= 0x40
    try replace(column, of: table, where: condition, with: bytes)
  }
}
