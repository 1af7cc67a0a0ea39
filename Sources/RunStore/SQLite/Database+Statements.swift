import GRDB
import GRDBSQLite

/// Statements on GRDB's cached handles, bound and stepped through SQLite's C API.
///
/// Nearly every statement of this room carries a blob. Through GRDB's rows a blob is copied into a
/// `Data`, and a row costs twice the CPU; so one way serves all of them.
/// Connections, transactions, migrations and the statement cache are GRDB's.
extension Database {
  /// Runs a statement that returns no rows.
  func run(_ sql: String, _ values: SQLValue...) throws {
    try rows(sql, values) { _ in true }
  }

  /// Runs a query, and calls `body` with each row until it returns false.
  func rows(
    _ sql: String,
    _ values: SQLValue...,
    body: (SQLRow) throws -> Bool
  ) throws {
    try rows(sql, values, body: body)
  }

  /// Runs a query, and returns what `body` makes of its first row; `nil` if it has none.
  func firstRow<Value>(
    _ sql: String,
    _ values: SQLValue...,
    body: (SQLRow) throws -> Value
  ) throws -> Value? {
    var result: Value?
    try rows(sql, values) { row in
      result = try body(row)
      return false
    }
    return result
  }

  /// Runs a query, and calls `body` with each row until it returns false.
  func rows(_ sql: String, _ values: [SQLValue], body: (SQLRow) throws -> Bool) throws {
    let cached = try cachedStatement(sql: sql)
    let statement = cached.sqliteStatement
    // Without the reset a query would keep its transaction open.
    defer { sqlite3_reset(statement) }
    for (index, value) in values.enumerated() {
      let code = Self.bind(value, at: Int32(index + 1), of: statement)
      guard code == SQLITE_OK else { throw error(code, sql: sql) }
    }
    while true {
      switch sqlite3_step(statement) {
      case SQLITE_ROW:
        guard try body(SQLRow(statement: statement)) else { return }
      case SQLITE_DONE: return
      case let code: throw error(code, sql: sql)
      }
    }
  }

  private func error(_ code: Int32, sql: String) -> DatabaseError {
    DatabaseError(resultCode: ResultCode(rawValue: code), message: lastErrorMessage, sql: sql)
  }

  private static func bind(_ value: SQLValue, at index: Int32, of statement: OpaquePointer) -> Int32
  {
    switch value {
    case .null: return sqlite3_bind_null(statement, index)
    case .integer(let value): return sqlite3_bind_int64(statement, index, value)
    case .real(let value): return sqlite3_bind_double(statement, index, value)
    case .text(var text):
      // SQLITE_TRANSIENT: SQLite copies.
      let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
      return text.withUTF8 { utf8 in
        utf8.withMemoryRebound(to: CChar.self) { characters in
          sqlite3_bind_text(
            statement,
            index,
            characters.baseAddress,
            Int32(characters.count),
            transient
          )
        }
      }
    case .blob(let bytes):
      // SQLITE_STATIC: the bytes outlive the step. A pointer of nil would bind NULL.
      guard let start = bytes.baseAddress, !bytes.isEmpty else {
        return sqlite3_bind_zeroblob(statement, index, 0)
      }
      return sqlite3_bind_blob64(statement, index, start, UInt64(bytes.count), nil)
    }
  }
}
