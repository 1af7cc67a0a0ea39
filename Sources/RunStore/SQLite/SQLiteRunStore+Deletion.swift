import GRDB
import Synchronization
public import Telemetry

extension SQLiteRunStore {
  /// Deletes a run in one short transaction: its row moves to `deletions`, and with that nothing finds the
  /// rest any more.
  public func deleteRun(
    _ run: RunID,
    evenIfRunning: Bool
  ) throws(RunStoreError) -> Bool {
    try write("delete run \(run)") { db in
      let found = try db.firstRow(
        "SELECT key, status FROM runs WHERE id = ?",
        .text(run.rawValue)
      ) { (key: $0.integer(0), status: $0.integer(1)) }
      guard let found else { throw RunStoreError.unknownRun(run) }
      guard evenIfRunning || found.status != Int64(RunStatus.running.rawValue) else {
        return false
      }
      try db.run(
        "INSERT INTO deletions(run, id) VALUES (?, ?)",
        .integer(found.key),
        .text(run.rawValue)
      )
      try db.run("DELETE FROM runs WHERE key = ?", .integer(found.key))
      // A run of the same name that comes later has no rules of its own.
      try Self.removeRules(of: .run(run), in: db)
      return true
    }
  }

  /// Removes a slice of what deleted runs left, and producers that went back; when nothing is left of any, gives pages back to the
  /// file system, and then forgets the deletions.
  ///
  /// Pages are given back last, because that moves pages from the file's end to free places: those of a
  /// run that is to go too need no move. A file that was made before there were deletions can't give pages
  /// back; they are used again, and a backup is without them.
  public func reclaimNext() throws(RunStoreError) -> Bool {
    // Between the two transactions of sealing a producer's key must not become another's.
    try sealing.withLock { (state: inout sending SealingState) throws(RunStoreError) -> Bool in
      let undeletable = state.undeletable
      let next = try read("look for deletions") { db in
        var next: (run: Int64, isEmpty: Bool)?
        try db.rows("SELECT run, is_empty FROM deletions ORDER BY is_empty, run") { row in
          guard !undeletable.contains(row.integer(0)) else { return true }
          next = (run: row.integer(0), isEmpty: row.integer(1) != 0)
          return false
        }
        return next
      }
      guard let next else { return try giveBackIfIdle(&state.pagesToGiveBack) }
      if next.isEmpty {
        try giveBack(&state.pagesToGiveBack)
      } else {
        state.pagesToGiveBack = nil
        let removed: [Int64]
        do throws(RunStoreError) {
          removed = try removeSlice(of: next.run)
        } catch {
          // The others go all the same; it is tried again when the file is opened anew.
          if case .damaged = error { state.undeletable.insert(next.run) }
          throw error
        }
        // Their keys will be others'.
        state.paused.subtract(removed)
        state.withoutRollups.subtract(removed)
      }
      return true
    }
  }

  /// Removes a slice of what a deleted run left; returns the producers that are gone.
  private func removeSlice(of run: Int64) throws(RunStoreError) -> [Int64] {
    try write("delete a part of a run") { db in
      var slice = DeletionSlice(db, bytes: options.deletionSliceBytes)
      if try slice.removeAll(of: run) {
        try db.run("UPDATE deletions SET is_empty = 1 WHERE run = ?", .integer(run))
      }
      return slice.producers
    }
  }

  /// Gives a slice of the free pages back, if the log is empty: then no run needs them; returns whether there may be more.
  private func giveBackIfIdle(_ left: inout Int64?) throws(RunStoreError) -> Bool {
    let isWorthIt = try read("look for free pages") { db in
      try db.number("PRAGMA freelist_count") > 0 && Self.isIdle(db)
        && db.number("PRAGMA auto_vacuum") == Self.incrementalVacuum
    }
    left = nil
    guard isWorthIt else { return false }
    try giveBack(&left)
    return left != nil
  }

  private static func isIdle(_ db: Database) throws -> Bool {
    try db.firstRow("SELECT 1 FROM log LIMIT 1") { _ in true } == nil
  }

  /// Gives a slice of the free pages back, or forgets the deletions if there are no more than to be kept.
  private func giveBack(_ left: inout Int64?) throws(RunStoreError) {
    let before = left
    left = try write("give free pages back") { db in
      let pageBytes = try db.number("PRAGMA page_size")
      let slice = Swift.max(Int64(options.deletionSliceBytes) / pageBytes, 1)
      let kept = try Self.isIdle(db) ? 0 : Int64(options.keptFreeBytes) / pageBytes
      let free = try db.number("PRAGMA freelist_count")
      let isPossible = try db.number("PRAGMA auto_vacuum") == Self.incrementalVacuum
      // Counted once: what sealing frees meanwhile is not ours to give back.
      let pages = Swift.min(before ?? free - kept, free - kept)
      guard isPossible, pages > 0 else {
        try db.run("DELETE FROM deletions WHERE is_empty = 1")
        return nil
      }
      let now = Swift.min(pages, slice)
      try db.run("PRAGMA incremental_vacuum(\(now))")
      return pages - now
    }
  }

  /// What `PRAGMA auto_vacuum` says of a file that gives pages back when asked.
  private static let incrementalVacuum: Int64 = 2
}
