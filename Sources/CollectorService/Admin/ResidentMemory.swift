import Foundation

/// The memory of this process.
enum ResidentMemory {
  /// The bytes that are resident; `nil` where the system does not say.
  static var bytes: UInt64? {
    // Pages: the whole program, resident, shared…; proc(5).
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else {
      return nil
    }
    let fields = text.split(separator: " ")
    guard fields.count > 1, let pages = UInt64(fields[1]) else { return nil }
    return pages * UInt64(sysconf(Int32(_SC_PAGESIZE)))
  }
}
