/// One thing that is wrong with a rule file.
public struct RuleFileProblem: Hashable, Sendable {
  /// The line, from 1.
  public var line: Int
  /// The column, from 1, in characters of Unicode.
  public var column: Int
  /// The place, such as `rules.dead_relu.warning_share`; empty: the file as a whole.
  public var place: String
  /// What may stand there.
  public var expected: String
  /// What stands there.
  public var found: String

  /// Makes a problem.
  public init(line: Int, column: Int, place: String, expected: String, found: String) {
    self.line = line
    self.column = column
    self.place = place
    self.expected = expected
    self.found = found
  }
}

extension RuleFileProblem: CustomStringConvertible {
  /// Line, column, place, the expected and the found.
  public var description: String {
    "\(line):\(column): \(place.isEmpty ? "" : "\(place): ")expected \(expected), found \(found)"
  }
}
