/// Why a plan cannot be trained: it is wrong, and the caller mends it.
public enum TrainingError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A layer does not fit what it is given; shapes are those of one sample.
  case shape(String, expected: String, found: [Int])
  /// A setting is out of its range.
  case setting(String, expected: String, found: String)

  /// The place, what was expected, and what was found.
  public var description: String {
    switch self {
    case .shape(let place, let expected, let found):
      "\(place): expected \(expected), found \(found)"
    case .setting(let place, let expected, let found):
      "\(place): expected \(expected), found \(found)"
    }
  }
}
