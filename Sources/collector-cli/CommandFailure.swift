/// How the process ends; the numbers are part of the interface.
enum ExitStatus: Int32 {
  /// The run has what the caller asked to fail on, or a rule file is wrong.
  case faultFound = 1
  /// The command, or what it asks for in this state, makes no sense.
  case usage = 2
  /// There is no such run, layer or alert.
  case notFound = 3
  /// No collector answers, or not in time.
  case unreachable = 4
  /// The collector does not know who asks, or does not let them.
  case notPermitted = 5
  /// A fault of the collector, or of this program.
  case internalError = 70
}

/// Why a command ended without an answer.
struct CommandFailure: Error, CustomStringConvertible {
  /// How the process ends.
  var status: ExitStatus
  /// One line: place, expected and found.
  var description: String
  /// What to do about it; `nil` if the description says enough.
  var hint: String?

  init(_ status: ExitStatus, _ description: String, hint: String? = nil) {
    self.status = status
    self.description = description
    self.hint = hint
  }
}

/// The reader of standard output has gone.
struct BrokenPipe: Error {}
