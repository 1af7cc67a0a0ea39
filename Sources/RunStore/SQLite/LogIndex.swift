import GRDBSQLite

/// The index of a write-ahead log: memory that all who have the file open share (sqlite.org/walformat.html, "The WAL-Index File Format").
enum LogIndex {
  /// The only version there is.
  private static let version: UInt32 = 3_007_000
  /// Where it has the number of the log's pages that count as moved into the file.
  private static let movedPagesOffset = 96
  /// The bytes of a block of it, of which the first has the number.
  private static let blockBytes: Int32 = 32_768
  /// The locks of who moves the log, of who recovers it, and of those who read the file alone.
  private static let locks: (first: Int32, count: Int32) = (1, 3)

  /// Has nothing of the log count as moved, as after a crash, so that all of it is moved again.
  ///
  /// SQLite itself changes the number under the same locks. Whoever reads meanwhile finds what it found: what is moved again is in the
  /// file already, as far as the system's memory goes.
  ///
  /// - Parameter connection: One that is in no transaction.
  /// - Returns: False if somebody else holds one of the locks, or nothing is known of this version of the index.
  static func countNothingAsMoved(_ connection: OpaquePointer?) -> Bool {
    var file: UnsafeMutablePointer<sqlite3_file>?
    let code = sqlite3_file_control(connection, "main", SQLITE_FCNTL_FILE_POINTER, &file)
    guard code == SQLITE_OK, let file, let methods = file.pointee.pMethods?.pointee,
      methods.iVersion >= 2
    else { return false }
    var block: UnsafeMutableRawPointer?
    guard methods.xShmMap(file, 0, blockBytes, 0, &block) == SQLITE_OK, let block,
      block.load(as: UInt32.self) == version
    else { return false }
    let lock = SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE
    guard methods.xShmLock(file, locks.first, locks.count, lock) == SQLITE_OK else { return false }
    block.storeBytes(of: 0, toByteOffset: movedPagesOffset, as: UInt32.self)
    let unlock = SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE
    _ = methods.xShmLock(file, locks.first, locks.count, unlock)
    return true
  }
}
