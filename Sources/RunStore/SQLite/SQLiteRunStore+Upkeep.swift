import Foundation
import GRDB

extension SQLiteRunStore {
  /// How large the file is, and what there is still to seal and to delete.
  public func statistics() throws(RunStoreError) -> StoreStatistics {
    var statistics = try read("read statistics") { db in
      let pageBytes = UInt64(clamping: try db.number("PRAGMA page_size"))
      func count(_ sql: String) throws -> UInt64 { UInt64(clamping: try db.number(sql)) }
      return StoreStatistics(
        databaseBytes: pageBytes * (try count("PRAGMA page_count")),
        freeBytes: pageBytes * (try count("PRAGMA freelist_count")),
        runs: try count("SELECT count(*) FROM runs"),
        unsealedReports: try count(
          "SELECT coalesce(sum(p.log_rows), 0) FROM producers p JOIN runs r ON r.key = p.run"
        ),
        deletionsInProgress: try count(
          "SELECT count(*) FROM deletions WHERE run <> \(DeletionSlice.dropped)"
        )
      )
    }
    let attributes = try? FileManager.default.attributesOfItem(atPath: path + "-wal")
    statistics.writeAheadLogBytes = (attributes?[.size] as? NSNumber)?.uint64Value ?? 0
    return statistics
  }

  /// Moves the write-ahead log into the file.
  public func checkpoint() throws(RunStoreError) {
    try writeWithoutTransaction("checkpoint") { db in
      _ = try checkpointer.emptyLog(of: db, waiting: 0)
    }
  }
}
