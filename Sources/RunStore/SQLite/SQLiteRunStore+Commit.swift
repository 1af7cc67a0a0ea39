import GRDB
import Synchronization

extension SQLiteRunStore {
  /// Makes a group of changes durable in one transaction, in the order given.
  ///
  /// If the page is torn at which the log grows, it grows at its other end from then on: only those whose reports were on that page
  /// lose any.
  public func commit(_ changes: [RunChange]) throws(RunStoreError) -> [AlertCursor] {
    guard !changes.isEmpty else { return [] }
    let growsAtFront = logGrowsAtFront.load(ordering: .relaxed)
    do throws(RunStoreError) {
      return try commit(changes, logGrowsAtFront: growsAtFront)
    } catch {
      guard case .damaged = error else { throw error }
      let cursors = try commit(changes, logGrowsAtFront: !growsAtFront)
      logGrowsAtFront.store(!growsAtFront, ordering: .relaxed)
      return cursors
    }
  }

  private func commit(
    _ changes: [RunChange],
    logGrowsAtFront: Bool
  ) throws(RunStoreError) -> [AlertCursor] {
    try write("commit \(changes.count) changes") { db in
      var group = CommitGroup(db, logGrowsAtFront: logGrowsAtFront)
      for change in changes { try group.apply(change) }
      try group.finish()
      return group.cursors
    }
  }
}
