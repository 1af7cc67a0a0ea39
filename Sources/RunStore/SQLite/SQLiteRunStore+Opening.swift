import Foundation
import GRDB

extension SQLiteRunStore {
  /// Looks, without writing to the file, whether it is ours and of a version that we know.
  ///
  /// Only what a crash left half done in a file without a write-ahead log is taken back first, as whoever opens it does: until it has
  /// a log, which is the first that is done to a new file, a copy or an old one.
  static func inspect(_ path: String, _ options: Options) throws(RunStoreError) {
    do {
      do {
        try inspect(path, options, readonly: true)
      } catch let error as DatabaseError
        where error.extendedResultCode == .SQLITE_READONLY_ROLLBACK
      {
        try inspect(path, options, readonly: false)
      }
    } catch {
      throw RunStoreError(opening: path, error)
    }
  }

  private static func inspect(_ path: String, _ options: Options, readonly: Bool) throws {
    var configuration = Configuration()
    configuration.readonly = readonly
    // After a crash another program, such as a backup, may be the one that recovers the log.
    configuration.busyMode = .timeout(options.busySeconds)
    let queue: DatabaseQueue
    do {
      queue = try DatabaseQueue(path: path, configuration: configuration)
    } catch let error as DatabaseError where error.resultCode == .SQLITE_CANTOPEN {
      // Most likely it does not exist yet; if not, opening it for writing says what is wrong.
      return
    }
    try queue.read { db in
      let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") ?? 0
      let identifier = try Int32.fetchOne(db, sql: "PRAGMA application_id") ?? 0
      guard tables == 0 || identifier == Schema.applicationID else {
        throw RunStoreError.cannotOpen(
          path: path,
          detail: "the SQLite database of another program"
        )
      }
      let known = Schema.migrator.migrations
      let unknown = try Schema.migrator.appliedIdentifiers(db).subtracting(known)
      if let newest = unknown.max() {
        throw RunStoreError.newerVersion(
          path: path,
          found: newest,
          supported: known.last ?? "none"
        )
      }
    }
    try queue.close()
  }

  /// Whether the page is torn at which a table grows: one of which a part is torn takes rows that are never found again.
  static func isTornAtEnd(_ pool: DatabasePool, _ table: String, by key: String) throws -> Bool {
    do {
      return try pool.read { db in
        var (last, isTorn) = (Int64.max, false)
        // About a page of the smallest rows.
        try db.rows("SELECT \(key) FROM \(table) ORDER BY \(key) DESC LIMIT 256") { row in
          isTorn = row.integer(0) >= last
          last = row.integer(0)
          return !isTorn
        }
        return isTorn
      }
    } catch let error as DatabaseError where error.resultCode == .SQLITE_CORRUPT {
      return true
    }
  }

  /// Opens a file for reading and writing, and brings its tables up to date.
  static func open(_ path: String, _ options: Options) throws(RunStoreError) -> DatabasePool {
    var configuration = Configuration()
    configuration.label = "RunStore"
    configuration.maximumReaderCount = Swift.max(options.maximumReaders, 1)
    configuration.busyMode = .timeout(options.busySeconds)
    // Every row is written by this room, in a transaction that also writes its parent: checking it
    // again would cost a look-up a chunk.
    configuration.foreignKeysEnabled = false
    configuration.prepareDatabase { db in
      // Appending takes half the CPU that it takes with pages of 4 KB.
      // Without effect on a file that has pages.
      try db.execute(sql: "PRAGMA page_size = 16384")
      // So that space comes back after a deletion. Likewise; and only the writer may say so.
      if !db.configuration.readonly, try Int64.fetchOne(db, sql: "PRAGMA page_count") == 0 {
        try db.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
      }
      // In KiB: a segment's inner pages and a timeline's axes.
      try db.execute(sql: "PRAGMA cache_size = -8192")
    }
    do {
      // Where the log is empty GRDB makes a table and drops it, for which SQLite moves a page of a file with auto_vacuum, and if that
      // is damaged opens none. This writes the first page only, and nothing where there is a log: on a full disk, for one. And before
      // the first table, so that a file whose making was cut off is known as ours.
      let first = try DatabaseQueue(path: path, configuration: configuration)
      try first.inDatabase { db in
        try db.execute(sql: "PRAGMA journal_mode = WAL")
        let log = try? FileManager.default.attributesOfItem(atPath: path + "-wal")[.size] as? Int
        let identifier = try Int32.fetchOne(db, sql: "PRAGMA application_id")
        guard log ?? 0 == 0 || identifier != Schema.applicationID else { return }
        try db.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
      }
      let pool = try DatabasePool(path: path, configuration: configuration)
      try first.close()
      try pool.writeWithoutTransaction { db in
        // GRDB chooses NORMAL, with which a commit may be lost with the power.
        try db.execute(sql: "PRAGMA synchronous = FULL")
        // So that space comes back after a long reader: 8 times what is long is what a slow disk makes of it.
        let pageBytes = try db.number("PRAGMA page_size")
        try db.execute(
          sql: "PRAGMA journal_size_limit = \(8 * Int64(options.checkpointPages) * pageBytes)"
        )
        // Debian's SQLite overwrites what is deleted with zeros, and writes those pages twice.
        try db.execute(sql: "PRAGMA secure_delete = OFF")
      }
      try Schema.migrator.migrate(pool)
      return pool
    } catch {
      throw RunStoreError(opening: path, error)
    }
  }
}
