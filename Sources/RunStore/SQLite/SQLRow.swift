import GRDBSQLite

/// The row that a statement stands on; gone with the next step.
struct SQLRow {
  let statement: OpaquePointer

  func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }

  /// A step or sequence number.
  func number(_ column: Int32) -> UInt64 { UInt64(clamping: integer(column)) }

  func real(_ column: Int32) -> Double { sqlite3_column_double(statement, column) }

  func isNull(_ column: Int32) -> Bool { sqlite3_column_type(statement, column) == SQLITE_NULL }

  func text(_ column: Int32) -> String {
    guard let start = sqlite3_column_text(statement, column) else { return "" }
    let size = Int(sqlite3_column_bytes(statement, column))
    return String(decoding: UnsafeBufferPointer(start: start, count: size), as: UTF8.self)
  }

  /// Bytes that live until the next step; empty for NULL.
  ///
  /// SQLite reads a large row's pages no further than to the end of the column that is asked for.
  func blob(_ column: Int32) -> UnsafeRawBufferPointer {
    let start = sqlite3_column_blob(statement, column)
    return UnsafeRawBufferPointer(
      start: start,
      count: start == nil ? 0 : Int(sqlite3_column_bytes(statement, column))
    )
  }
}
