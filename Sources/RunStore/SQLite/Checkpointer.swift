import Dispatch
import GRDB
import GRDBSQLite
import Synchronization

/// Moves the write-ahead log into the file beside the commits, so that they hardly wait for it.
///
/// SQLite's own way is that the commit that makes the log long enough moves all of it, and has the disk take it, while the others
/// wait. Here a second connection moves it a part at a time. Only between two commits can nothing be left to move, so that the log
/// can begin anew: once it is long, a commit moves the last small part; or all of it, should the disk be so slow that the log is 8
/// times as long. What a long reader keeps in the log, which may be gigabytes, is moved beside the commits when it has ended.
final class Checkpointer: Sendable {
  private struct State {
    var plan: CheckpointPlan
    var isClosed = false
    /// Whether the disk did not take a part that counts as moved.
    ///
    /// Linux calls pages clean that it could not write, so no later sync would write it: all of the log has to be moved again.
    var hasLostPart = false
    /// When a reader kept the log from beginning anew last; `nil`: never.
    var triedAt: ContinuousClock.Instant?
    /// Why the last part could not be moved; `nil` if it was, or the disk is full, which those who write hear of.
    var failure: DatabaseError?
  }

  private let path: String
  private let busyMilliseconds: Int
  private let queue: DatabaseQueue
  /// Where the second connection is used, and closed.
  private let thread = DispatchQueue(label: "gradwatch.checkpointer")
  private let state: Mutex<State>
  /// Whether the disk may lack something of the log, or of what was moved from it, that no later sync would write: one has failed.
  ///
  /// Linux calls pages clean that it could not write. After a power cut nothing would be found that was written behind them.
  let isLogInDoubt = Atomic(false)

  /// Opens the second connection.
  ///
  /// - Parameters:
  ///   - path: The file; it exists.
  ///   - options: How long a log is long, and how long to wait for another program that holds the file.
  /// - Throws: The errors of the database.
  init(path: String, _ options: SQLiteRunStore.Options) throws {
    var configuration = Configuration()
    configuration.busyMode = .timeout(options.busySeconds)
    configuration.label = "Checkpointer"
    self.path = path
    busyMilliseconds = Int(options.busySeconds * 1000)
    queue = try DatabaseQueue(path: path, configuration: configuration)
    state = Mutex(State(plan: CheckpointPlan(longLog: options.checkpointPages)))
    // Opens the log.
    try queue.read { db in _ = try db.number("PRAGMA schema_version") }
  }

  /// Has the commits of a connection drive it, which must be closed before this object is let go.
  func attach(to db: Database) {
    sqlite3_wal_hook(
      db.sqliteConnection,
      { context, connection, name, pages in
        if let context {
          let checkpointer = Unmanaged<Checkpointer>.fromOpaque(context).takeUnretainedValue()
          checkpointer.committed(pages, of: connection, name)
        }
        return SQLITE_OK
      },
      Unmanaged.passUnretained(self).toOpaque()
    )
  }

  /// Has the disk take what transactions wrote to the log that waited for no disk; a commit that waits then waits for less.
  ///
  /// - Throws: `SQLITE_IOERR_FSYNC` if it does not.
  func syncLog() throws {
    try thread.sync {
      guard !isClosed else { return }
      try queue.inDatabase { db in
        try Self.sync(SQLITE_FCNTL_JOURNAL_POINTER, of: db.sqliteConnection)
      }
    }
  }

  /// Whether a part is lost that counts as moved, so that the log, which has it, must not begin anew.
  var hasLostPart: Bool { state.withLock { $0.hasLostPart } }

  /// Has a connection leave the log where it is, and as it is, when it closes.
  static func keepLog(of db: Database) {
    var isKept: Int32 = 1
    sqlite3_file_control(db.sqliteConnection, "main", SQLITE_FCNTL_PERSIST_WAL, &isKept)
    // Else it would be emptied.
    try? db.execute(sql: "PRAGMA journal_size_limit = -1")
  }

  /// Sees to it that what a connection writes next survives a power cut; outside of a transaction.
  ///
  /// If the disk may lack something of the log, or of what was moved from it, all of it is moved into the file, and it begins anew.
  ///
  /// - Throws: ``RunStoreError/unavailable(operation:detail:)`` if that can't be had now, and the errors of the database.
  func settle(_ db: Database, _ operation: String) throws {
    if isLogInDoubt.load(ordering: .acquiring) {
      // Two can't move at once.
      thread.sync {}
      try recount(db, operation)
      try beginAnew(db, operation)
    }
  }

  /// Has a part count as not moved, and all before it, if the disk did not take it.
  private func recount(_ db: Database, _ operation: String) throws {
    guard hasLostPart else { return }
    guard LogIndex.countNothingAsMoved(db.sqliteConnection) else {
      throw RunStoreError.unavailable(
        operation: operation,
        detail:
          "the disk did not take what was moved from the log into \(path), which can't be moved "
          + "again now: if that stays, start the collector again, which does it too"
      )
    }
    state.withLock { $0.hasLostPart = false }
  }

  private func beginAnew(_ db: Database, _ operation: String) throws {
    let isRead = RunStoreError.unavailable(
      operation: operation,
      detail: "somebody reads what the log has, which must begin anew after a sync that failed"
    )
    // Whoever waits here, all commits wait for: not each of them anew for one long reader, a backup say.
    let now = ContinuousClock.now
    guard state.withLock({ $0.triedAt.map { now - $0 >= .seconds(1) } ?? true }) else {
      throw isRead
    }
    // Nothing is moved while the disk takes nothing.
    try Self.sync(SQLITE_FCNTL_JOURNAL_POINTER, of: db.sqliteConnection)
    guard try emptyLog(of: db, waiting: 500) else {
      state.withLock { $0.triedAt = ContinuousClock.now }
      throw isRead
    }
    // Or the old log might be there again after a power cut.
    try Self.sync(SQLITE_FCNTL_JOURNAL_POINTER, of: db.sqliteConnection)
    isLogInDoubt.store(false, ordering: .releasing)
  }

  /// Moves what no reader needs any more, waiting for nobody; and if that is all, has the log begin anew.
  ///
  /// - Parameters:
  ///   - db: The connection of the commits, outside of a transaction.
  ///   - milliseconds: How long it may wait for readers that use the log still, and all commits with it.
  /// - Returns: False if somebody reads what the log has; if it was all moved, the next commit after that begins it anew.
  /// - Throws: The errors of the database.
  func emptyLog(of db: Database, waiting milliseconds: Int) throws -> Bool {
    let moved = try db.checkpoint(.passive)
    guard moved.walFrameCount == moved.checkpointedFrameCount else {
      try syncFile(of: db.sqliteConnection)
      return false
    }
    try db.execute(sql: "PRAGMA busy_timeout = \(milliseconds)")
    defer { try? db.execute(sql: "PRAGMA busy_timeout = \(busyMilliseconds)") }
    do {
      try db.checkpoint(.truncate)
      return true
    } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
      return false
    }
  }

  /// Has the disk take what was moved into the file, which SQLite does only when nothing is left to move.
  private func syncFile(of connection: OpaquePointer?) throws {
    do {
      try Self.sync(SQLITE_FCNTL_FILE_POINTER, of: connection)
    } catch {
      state.withLock { $0.hasLostPart = true }
      isLogInDoubt.store(true, ordering: .releasing)
      throw error
    }
  }

  /// Waits until nothing is moved, and closes the second connection.
  func close() throws {
    try thread.sync {
      state.withLock { $0.isClosed = true }
      if hasLostPart { queue.inDatabase(Self.keepLog) }
      try queue.close()
    }
  }

  /// Why the log can't be moved into the file, once for each attempt; `nil` if it can.
  func takeFailure() -> DatabaseError? {
    state.withLock { state in
      defer { state.failure = nil }
      return state.failure
    }
  }

  private var isClosed: Bool { state.withLock { $0.isClosed } }

  private func committed(
    _ pages: Int32,
    of connection: OpaquePointer?,
    _ name: UnsafePointer<CChar>?
  ) {
    let step = state.withLock { $0.hasLostPart ? .none : $0.plan.committed(pages) }
    switch step {
    case .none: break
    case .movePart: thread.async { self.movePart() }
    case .moveRest:
      // Two can't move at once.
      thread.sync {}
      guard !hasLostPart else { return }
      var (all, moved): (Int32, Int32) = (0, 0)
      let mode = SQLITE_CHECKPOINT_PASSIVE
      let code = sqlite3_wal_checkpoint_v2(connection, name, mode, &all, &moved)
      do {
        guard code == SQLITE_OK else {
          throw DatabaseError(resultCode: ResultCode(rawValue: code))
        }
        if moved < all { try syncFile(of: connection) }
        state.withLock { $0.plan.movedRest(Int(moved)) }
        note(nil)
      } catch {
        note(error as? DatabaseError)
      }
    }
  }

  /// Moves what is there, as far as no reader needs it.
  ///
  /// What fails here is tried again after the next commit: nothing is lost with it, but the log grows.
  private func movePart() {
    var moved: Int?
    if !isClosed {
      do {
        try queue.inDatabase { db in
          moved = try db.checkpoint(.passive).checkpointedFrameCount
          try syncFile(of: db.sqliteConnection)
        }
        note(nil)
      } catch {
        note(error as? DatabaseError)
      }
    }
    state.withLock { $0.plan.ended(moved: moved) }
  }

  /// Takes note of an error if it is that of a sync: also of a commit, because what stands before it in the log may have waited for it.
  func noteSync(_ error: any Error) {
    let isOfSync = (error as? DatabaseError)?.extendedResultCode == .SQLITE_IOERR_FSYNC
    if isOfSync { isLogInDoubt.store(true, ordering: .releasing) }
  }

  private func note(_ failure: DatabaseError?) {
    if let failure { noteSync(failure) }
    let isOurs =
      switch failure?.resultCode {
      case .SQLITE_FULL?, .SQLITE_BUSY?, .SQLITE_LOCKED?: false
      default: true
      }
    state.withLock { $0.failure = isOurs ? failure : nil }
  }

  private static func sync(_ kind: Int32, of connection: OpaquePointer?) throws {
    var file: UnsafeMutablePointer<sqlite3_file>?
    let code = sqlite3_file_control(connection, "main", kind, &file)
    guard code == SQLITE_OK, let file, let methods = file.pointee.pMethods else { return }
    let result = methods.pointee.xSync(file, SQLITE_SYNC_NORMAL)
    guard result == SQLITE_OK else {
      throw DatabaseError(resultCode: ResultCode(rawValue: result))
    }
  }
}
