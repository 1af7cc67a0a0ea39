/// Why a command ended without having done what it was asked to.
struct CommandFailure: Error {
  /// How the process ends; the numbers are part of the interface.
  enum Status: Int32 {
    /// The collector refuses the run, or a newer process took it over.
    case refused = 1
    /// The command makes no sense.
    case usage = 2
    /// No collector answers, or it went away and did not come back in time.
    case unreachable = 4
    /// Somebody pressed Ctrl-C.
    case interrupted = 130
  }

  /// How the process ends.
  var status: Status
  /// One line: place, expected and found.
  var description: String

  init(_ status: Status, _ description: String) {
    self.status = status
    self.description = description
  }
}
