/// What is wrong with a rule file; permanent: the user mends the file.
public struct RuleFileError: Error, Hashable, Sendable {
  /// The file's name.
  public var file: String
  /// What is wrong, in the file's order; at most ``maximumProblems``, never empty.
  public var problems: [RuleFileProblem]

  /// The most problems that are looked for in one file.
  public static let maximumProblems = 100

  /// Makes an error.
  public init(file: String, problems: [RuleFileProblem]) {
    self.file = file
    self.problems = problems
  }
}

extension RuleFileError: CustomStringConvertible {
  /// A line a problem: file, line, column, place, expected and found.
  public var description: String {
    problems.map { "\(file):\($0)" }.joined(separator: "\n")
  }
}
