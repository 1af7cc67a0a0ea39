#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// The right to write one database, held through advisory locks on a file beside it and on the database itself.
///
/// SQLite lets many processes write one file in turn; two collectors would each trust what they
/// remember of it. The kernel drops the lock with the process, however that ends, and two stores in
/// one process exclude each other too, because `flock` locks belong to the open file. The lock file
/// itself stays: who removed it could remove the one that the next owner has just locked. A database that has two names (a hard
/// link, a file mounted into two containers) has two such files, but is one file: it is locked too.
final class FileLock: Sendable {
  private let descriptors: [Int32]

  /// Takes the locks at once or not at all.
  ///
  /// - Throws: ``RunStoreError/inUse(path:)`` if another holds one, and
  ///   ``RunStoreError/cannotOpen(path:detail:)``.
  init(database path: String) throws(RunStoreError) {
    let beside = try Self.lock(path + ".lock", database: path)
    do throws(RunStoreError) {
      // An empty file is a new database.
      descriptors = [beside, try Self.lock(path, database: path)]
    } catch {
      _ = close(beside)
      throw error
    }
  }

  deinit { for descriptor in descriptors { _ = close(descriptor) } }

  /// Opens a file, which is made if it is not there, and locks it.
  static func lock(
    _ file: String,
    database path: String
  ) throws(RunStoreError) -> Int32 {
    let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw .cannotOpen(path: path, detail: "\(file): \(reason(errno))")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      _ = close(descriptor)
      throw code == EWOULDBLOCK
        ? .inUse(path: path) : .cannotOpen(path: path, detail: "\(file): \(reason(code))")
    }
    return descriptor
  }

  /// The path with links resolved, so that two names of one file have one lock.
  ///
  /// It begins with a slash or a dot: SQLite takes `file:x` for a URI, of another file, and `:memory:` for none.
  ///
  /// - Throws: ``RunStoreError/cannotOpen(path:detail:)`` if it is a folder.
  static func resolve(_ path: String) throws(RunStoreError) -> String {
    guard !path.isEmpty else { throw .cannotOpen(path: path, detail: "the path is empty") }
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
      throw .cannotOpen(path: path, detail: "expected a file, found a folder")
    }
    guard let resolved = realpath(path, nil) else {
      return path.hasPrefix("/") || path.hasPrefix(".") ? path : "./" + path
    }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// The system's words for a code.
  static func reason(_ code: Int32) -> String {
    strerror(code).map { String(cString: $0) } ?? "error \(code)"
  }
}
