import GRDB

extension SQLiteRunStore {
  /// Makes a group of changes durable in one transaction, in the order given.
  public func commit(_ changes: [RunChange]) throws(RunStoreError) -> [AlertCursor] {
    guard !changes.isEmpty else { return [] }
    return try write("commit \(changes.count) changes") { db in
      var group = CommitGroup(db)
      for change in changes { try group.apply(change) }
      try group.finish()
      return group.cursors
    }
  }
}
