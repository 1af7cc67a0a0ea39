import GRDB

extension RunStoreError {
  /// What an error from inside a transaction means to a caller of the store.
  init(_ error: any Error, operation: String, path: String) {
    switch error {
    case let error as RunStoreError: self = error
    case let error as DatabaseError: self.init(error, operation: operation, path: path)
    default: self = .unavailable(operation: operation, detail: "\(error)")
    }
  }

  private init(_ error: DatabaseError, operation: String, path: String) {
    switch error.resultCode {
    case .SQLITE_CORRUPT, .SQLITE_NOTADB:
      self = .damaged(place: "database \(path)", detail: "\(operation): \(Self.text(of: error))")
    case .SQLITE_MISUSE:
      // What GRDB says of a connection that was closed meanwhile.
      self = .unavailable(operation: operation, detail: "closed")
    default:
      self = .unavailable(operation: operation, detail: Self.text(of: error))
    }
  }

  /// What an error while a file is opened means to a caller of the store.
  init(opening path: String, _ error: any Error) {
    guard let error = error as? DatabaseError else {
      self.init(error, operation: "open database \(path)", path: path)
      return
    }
    switch error.resultCode {
    case .SQLITE_NOTADB: self = .cannotOpen(path: path, detail: "not a SQLite database")
    case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_READONLY, .SQLITE_AUTH:
      self = .cannotOpen(path: path, detail: Self.text(of: error))
    default: self.init(error, operation: "open database \(path)", path: path)
    }
  }

  /// SQLite's words and the code by which they can be looked up.
  private static func text(of error: DatabaseError) -> String {
    "\(error.message ?? "no message") (SQLite \(error.extendedResultCode.rawValue))"
  }
}
