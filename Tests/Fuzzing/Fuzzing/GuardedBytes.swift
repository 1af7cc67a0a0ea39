#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Bytes that end where a page begins that nobody may read, so that reading past them ends the process.
///
/// In a release build nothing else checks the reads of a raw buffer.
enum GuardedBytes {
  /// Calls `body` with a copy of `bytes`.
  static func with<Value, Failure: Error>(
    _ bytes: [UInt8],
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let room = (bytes.count + page - 1) / page * page
    let flags = MAP_PRIVATE | MAP_ANONYMOUS
    let memory = mmap(nil, room + page, PROT_READ | PROT_WRITE, flags, -1, 0)
    guard let memory, memory != MAP_FAILED, mprotect(memory + room, page, PROT_NONE) == 0 else {
      preconditionFailure("no memory for \(bytes.count) bytes: errno \(errno)")
    }
    defer { _ = munmap(memory, room + page) }
    let start = memory + (room - bytes.count)
    bytes.withUnsafeBytes { source in
      if let base = source.baseAddress { start.copyMemory(from: base, byteCount: source.count) }
    }
    return try body(UnsafeRawBufferPointer(start: start, count: bytes.count))
  }
}
