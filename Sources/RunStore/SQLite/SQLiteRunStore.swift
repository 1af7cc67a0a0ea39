import GRDB
package import Synchronization

/// The runs of a collector in one SQLite file.
///
/// One connection writes, many read (WAL): a reader sees the last commit and waits for no write.
/// Every commit is synced (`synchronous=FULL`) before it returns, so that an ack survives power
/// loss. One store at a time may have a file open; a lock beside the file says so. `Format.md`
/// draws the file.
///
/// Bodies that a function calls run inside a read transaction on a connection of their own: they
/// must not call the store again, and while they run their connection serves no other reader.
public final class SQLiteRunStore: RunStore {
  let pool: DatabasePool
  let checkpointer: Checkpointer
  let path: String
  let options: Options
  /// Held while a segment is sealed, or a slice of a deletion is made.
  let sealing = Mutex(SealingState())
  /// Called before each transaction that makes sealed reports visible: where a test does what another thread might.
  package let sealingProbe = Mutex<(@Sendable () -> Void)?>(nil)
  /// Whether a new row of the log comes before the others, because the page behind them is torn.
  let logGrowsAtFront: Atomic<Bool>
  /// Whether a new model comes before the others, for the same reason.
  let modelsGrowAtFront: Bool
  /// Held while the store is open; `nil` after ``close()``.
  private let lock: Mutex<FileLock?>
  /// Whether commits may not be synced, because the setting could not be put back.
  private let isUnsynced = Atomic(false)

  /// Opens a file, and makes it if it does not exist.
  ///
  /// - Parameters:
  ///   - path: The file; its folder exists and can be written, because SQLite keeps two more files
  ///     beside it (`-wal`, `-shm`), and this store a third (`.lock`).
  ///   - options: What can be chosen.
  /// - Throws: ``RunStoreError/cannotOpen(path:detail:)``, ``RunStoreError/inUse(path:)``,
  ///   ``RunStoreError/newerVersion(path:found:supported:)`` before anything is written, and the
  ///   errors of ``RunStoreError`` for the database.
  public init(path: String, options: Options = Options()) throws(RunStoreError) {
    let path = try FileLock.resolve(path)
    let lock = try FileLock(database: path)
    try Self.inspect(path, options)
    pool = try Self.open(path, options)
    do {
      checkpointer = try Checkpointer(path: path, options)
      pool.unsafeReentrantWrite(checkpointer.attach)
      logGrowsAtFront = Atomic(try Self.isTornAtEnd(pool, "log", by: "key"))
      modelsGrowAtFront = try Self.isTornAtEnd(pool, "models", by: "run")
    } catch {
      throw RunStoreError(opening: path, error)
    }
    self.path = path
    self.options = options
    self.lock = Mutex(lock)
  }

  /// Moves the log into the file, and closes it; safe to call twice.
  public func close() throws(RunStoreError) {
    guard lock.withLock({ $0 != nil }) else { return }
    do {
      try checkpointer.close()
      if checkpointer.hasLostPart {
        pool.unsafeReentrantWrite(Checkpointer.keepLog)
      } else {
        // A reader from outside (a backup, a shell) may hold it up; the next opening does it then.
        _ = try? pool.writeWithoutTransaction { db in try db.checkpoint(.truncate) }
      }
      try pool.close()
    } catch {
      throw RunStoreError(error, operation: "close", path: path)
    }
    lock.withLock { $0 = nil }
  }

  /// Runs a pragma or another statement on the connection that writes: how a test fills the disk
  /// (`max_page_count`), or damages a row.
  package func executeOnWriter(_ sql: String) throws(RunStoreError) {
    try writeWithoutTransaction("execute") { db in try db.execute(sql: sql) }
  }

  /// Runs a query on the connection that writes, and returns the first column of its rows as text.
  package func queryOnWriter(_ sql: String) throws(RunStoreError) -> [String] {
    try checkIsOpen("query")
    do {
      return try pool.writeWithoutTransaction { db in
        try Row.fetchAll(db, sql: sql).map { row in
          row.map { "\($0.1)" }.joined(separator: "|")
        }
      }
    } catch {
      throw RunStoreError(error, operation: "query", path: path)
    }
  }

  /// Runs one read transaction.
  func read<Value>(
    _ operation: String,
    _ body: (Database) throws -> Value
  ) throws(RunStoreError) -> Value {
    try checkIsOpen(operation)
    do {
      return try pool.read(body)
    } catch {
      throw RunStoreError(error, operation: operation, path: path)
    }
  }

  /// Runs one write transaction; on an error nothing of it is kept.
  func write<Value>(
    _ operation: String,
    _ body: (Database) throws -> Value
  ) throws(RunStoreError) -> Value {
    try onWriter(operation) { db in try db.transaction(body) }
  }

  /// Runs one write transaction that need not be durable before the next one that is: the writer waits for no disk.
  func writeUnsynced(
    _ operation: String,
    _ body: (Database) throws -> Void
  ) throws(RunStoreError) {
    try onWriter(operation) { db in
      try db.execute(sql: "PRAGMA synchronous = NORMAL")
      defer {
        isUnsynced.store(true, ordering: .relaxed)
        try? keepSynced(db)
      }
      try db.transaction(body)
    }
    do {
      try checkpointer.syncLog()
    } catch {
      checkpointer.noteSync(error)
      throw RunStoreError(error, operation: operation, path: path)
    }
  }

  /// Runs statements on the connection that writes, outside of a transaction.
  func writeWithoutTransaction(
    _ operation: String,
    _ body: (Database) throws -> Void
  ) throws(RunStoreError) {
    try onWriter(operation, body)
  }

  /// Runs something on the connection that writes, once nothing keeps what it writes from surviving a power cut.
  private func onWriter<Value>(
    _ operation: String,
    _ body: (Database) throws -> Value
  ) throws(RunStoreError) -> Value {
    try checkIsOpen(operation)
    do {
      return try pool.writeWithoutTransaction { db in
        try checkpointer.settle(db, operation)
        try keepSynced(db)
        do {
          return try body(db)
        } catch {
          // What stands before it in the log may have waited for the same sync.
          checkpointer.noteSync(error)
          throw error
        }
      }
    } catch {
      throw RunStoreError(error, operation: operation, path: path)
    }
  }

  /// Puts the setting back by which commits are synced, if that has failed; throws if it fails again, and inside of a transaction, so
  /// that nothing counts as durable that may not be.
  private func keepSynced(_ db: Database) throws {
    guard isUnsynced.load(ordering: .relaxed) else { return }
    try db.execute(sql: "PRAGMA synchronous = FULL")
    isUnsynced.store(false, ordering: .relaxed)
  }

  private func checkIsOpen(_ operation: String) throws(RunStoreError) {
    guard lock.withLock({ $0 != nil }) else {
      throw .unavailable(operation: operation, detail: "closed")
    }
  }
}

extension Database {
  /// Runs one transaction that writes, and returns what it returns; on an error nothing of it is kept.
  fileprivate func transaction<Value>(_ body: (Database) throws -> Value) throws -> Value {
    try beginTransaction(.immediate)
    do {
      let value = try body(self)
      try commit()
      return value
    } catch {
      // SQLite may have undone it by itself.
      if isInsideTransaction { try? rollback() }
      throw error
    }
  }
}
