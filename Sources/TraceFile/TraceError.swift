/// What is wrong with a trace file: the place, the expected and the found.
///
/// Every case is permanent: mend the file, or name another one.
public enum TraceError: Error, Equatable, Sendable {
  /// The file can't be read, or is no proper gzip; `reason` is the system's word.
  case unreadable(file: String, reason: String)
  /// A line (counted from 1) does not have the form of a trace.
  case malformed(file: String, line: Int, field: String, expected: String, found: String)
}

extension TraceError: CustomStringConvertible {
  /// The place, the expected and the found, as one fragment.
  public var description: String {
    switch self {
    case .unreadable(let file, let reason): "\(file): \(reason)"
    case .malformed(let file, let line, let field, let expected, let found):
      "\(file): line \(line): \(field): expected \(expected), found \(found)"
    }
  }
}
