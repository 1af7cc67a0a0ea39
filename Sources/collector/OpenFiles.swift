#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// The files that this process may have open: each connection is one.
enum OpenFiles {
  /// Has the process have as many as the system lets it: the usual 1,024 are too few for a thousand jobs.
  static func raiseLimit() {
    #if canImport(Darwin)
    let kind = RLIMIT_NOFILE
    #else
    let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #endif
    var limit = rlimit()
    guard getrlimit(kind, &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    // Where it may not be that many it stays as it was.
    _ = setrlimit(kind, &limit)
  }
}
