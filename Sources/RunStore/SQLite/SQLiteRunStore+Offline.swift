import Foundation
import GRDB

// What an operator does with a file, whether a collector has it open or not.

extension SQLiteRunStore {
  /// Reads every blob of a file back, and says what is damaged.
  ///
  /// The file is only read, in one transaction a run: a collector may have it open, and goes on. It may be
  /// of an older version.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - found: Called with each damage.
  /// - Returns: What was looked at.
  /// - Throws: ``RunStoreError/cannotOpen(path:detail:)`` if there is no such file or it is none of ours,
  ///   ``RunStoreError/newerVersion(path:found:supported:)``.
  public static func verify(
    path: String,
    _ found: (StoredDamage) -> Void
  ) throws(RunStoreError) -> StoreVerification {
    try withReader(of: path, "verify") { queue in
      try withoutActuallyEscaping(found) { found in
        let verifier = StoreVerifier(queue, path: path, found)
        try verifier.verifyAll()
        return verifier.result
      }
    }
  }

  /// Copies a file as of one moment, without its free pages; a collector may have it open, and goes on.
  ///
  /// The write-ahead log of the original can't be shortened while the copy is made: it grows by what is
  /// ingested meanwhile.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - copy: Where the copy is to be; nothing may be there. It is there as a whole or not at all.
  /// - Throws: ``RunStoreError/cannotOpen(path:detail:)`` if there is no such file, or something at `copy`;
  ///   ``RunStoreError/inUse(path:)`` if somebody else makes that copy;
  ///   ``RunStoreError/unavailable(operation:detail:)`` if the disk is full.
  public static func backUp(path: String, to copy: String) throws(RunStoreError) {
    let files = FileManager.default
    guard !copy.isEmpty, !files.fileExists(atPath: copy) else {
      throw .cannotOpen(
        path: copy,
        detail: copy.isEmpty ? "the path is empty" : "expected nothing there, found a file"
      )
    }
    // What SQLite would take for this copy's own when it is opened.
    for suffix in ["-wal", "-shm", "-journal"] where files.fileExists(atPath: copy + suffix) {
      throw .cannotOpen(
        path: copy + suffix,
        detail: "expected nothing there, found what is left of another database"
      )
    }
    try withReader(of: path, "back up to \(copy)") { queue in
      let partial = try PartialCopy(of: FileLock.resolve(copy))
      try queue.writeWithoutTransaction { db in
        // The copy of a file that can't give pages back can.
        if try db.number("PRAGMA auto_vacuum") == 0 {
          try db.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
        }
        try db.execute(sql: "VACUUM INTO ?", arguments: [partial.path])
      }
      try partial.finish()
    }
  }

  /// Opens a file of ours for reading only.
  private static func withReader<Value>(
    of path: String,
    _ operation: String,
    _ body: (DatabaseQueue) throws -> Value
  ) throws(RunStoreError) -> Value {
    let path = try FileLock.resolve(path)
    guard FileManager.default.fileExists(atPath: path) else {
      throw .cannotOpen(path: path, detail: "No such file or directory")
    }
    try inspect(path, Options())
    var configuration = Configuration()
    configuration.readonly = true
    configuration.busyMode = .timeout(Options().busySeconds)
    let queue: DatabaseQueue
    do {
      queue = try DatabaseQueue(path: path, configuration: configuration)
    } catch {
      throw RunStoreError(opening: path, error)
    }
    do {
      let value = try body(queue)
      try queue.close()
      return value
    } catch {
      throw RunStoreError(error, operation: operation, path: path)
    }
  }
}
