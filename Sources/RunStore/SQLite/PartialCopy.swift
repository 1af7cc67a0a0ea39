#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// The file in which a copy of a database is made, beside where it is to be, until it is whole.
///
/// It is locked, or of two that make the same copy each would take the other's half for its own. One that a kill has left is used
/// again. It goes with the value.
struct PartialCopy: ~Copyable {
  /// The file, empty at first.
  let path: String
  private let copy: String
  private let descriptor: Int32

  /// Makes the file.
  ///
  /// - Throws: ``RunStoreError/inUse(path:)`` if another makes the same copy, and ``RunStoreError/cannotOpen(path:detail:)``.
  init(of copy: String) throws(RunStoreError) {
    let path = copy + ".partial"
    // Again for one that a kill left, and for one that was finished meanwhile; who finds neither has no file that keeps its number.
    for _ in 0..<4 {
      let descriptor = try FileLock.lock(path, database: path)
      var (locked, named) = (stat(), stat())
      let isSame =
        fstat(descriptor, &locked) == 0 && stat(path, &named) == 0
        && locked.st_ino == named.st_ino
      if isSame, locked.st_nlink == 1, ftruncate(descriptor, 0) == 0 {
        (self.path, self.copy, self.descriptor) = (path, copy, descriptor)
        _ = unlink(path + "-journal")
        return
      }
      // It was finished since it was opened, or a kill left it beside what it became: that has its own name.
      if isSame { _ = unlink(path) }
      _ = close(descriptor)
    }
    throw .inUse(path: path)
  }

  /// Has the disk take it, and gives it its name, under which nothing may be.
  ///
  /// - Throws: ``RunStoreError/cannotOpen(path:detail:)``.
  func finish() throws(RunStoreError) {
    // Unlike a renaming, a link replaces nothing that has come there meanwhile.
    guard fsync(descriptor) == 0, link(path, copy) == 0 else {
      throw .cannotOpen(path: copy, detail: FileLock.reason(errno))
    }
  }

  deinit {
    _ = unlink(path)
    _ = unlink(path + "-journal")
    _ = close(descriptor)
  }
}
