#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// The right to write one database, held through an advisory lock on a file beside it.
///
/// SQLite lets many processes write one file in turn; two collectors would each trust what they
/// remember of it. The kernel drops the lock with the process, however that ends, and two stores in
/// one process exclude each other too, because `flock` locks belong to the open file. The lock file
/// itself stays: who removed it could remove the one that the next owner has just locked.
final class FileLock: Sendable {
  private let descriptor: Int32

  /// Takes the lock at once or not at all.
  ///
  /// - Throws: ``RunStoreError/inUse(path:)`` if another holds it, and
  ///   ``RunStoreError/cannotOpen(path:detail:)``.
  init(database path: String) throws(RunStoreError) {
    let flags = O_RDWR | O_CREAT | O_CLOEXEC
    let descriptor = open(path + ".lock", flags, 0o644)
    guard descriptor >= 0 else {
      throw .cannotOpen(path: path, detail: "\(path).lock: \(Self.reason(errno))")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      _ = close(descriptor)
      throw code == EWOULDBLOCK
        ? .inUse(path: path) : .cannotOpen(path: path, detail: "\(path).lock: \(Self.reason(code))")
    }
    self.descriptor = descriptor
  }

  deinit { _ = close(descriptor) }

  /// The path with links resolved, so that two names of one file have one lock.
  ///
  /// - Throws: ``RunStoreError/cannotOpen(path:detail:)`` if it is a folder.
  static func resolve(_ path: String) throws(RunStoreError) -> String {
    guard !path.isEmpty else { throw .cannotOpen(path: path, detail: "the path is empty") }
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
      throw .cannotOpen(path: path, detail: "expected a file, found a folder")
    }
    guard let resolved = realpath(path, nil) else { return path }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  private static func reason(_ code: Int32) -> String {
    strerror(code).map { String(cString: $0) } ?? "error \(code)"
  }
}
