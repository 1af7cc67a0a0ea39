/// Why a spool can't be read at all.
///
/// Every case is permanent: mend the file, or name another one.
public enum SpoolError: Error, Equatable, Sendable {
  /// The file can't be read; `reason` is the system's word.
  case unreadable(file: String, reason: String)
  /// The file is no spool, or damaged before its first report.
  case damaged(file: String, SpoolDamage)
}

extension SpoolError: CustomStringConvertible {
  /// The place, the expected and the found, as one fragment.
  public var description: String {
    switch self {
    case .unreadable(let file, let reason): "\(file): \(reason)"
    case .damaged(let file, let damage): "\(file): \(damage)"
    }
  }
}
