import ArgumentParser
import GradwatchClient

/// Which collector to ask, and how long to wait.
struct ConnectionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The collector: HOST:PORT or unix:PATH; else GRADWATCH_ADDRESS, else 127.0.0.1:50151.",
      valueName: "address"
    ),
    transform: { try CollectorAddress($0) }
  )
  var server: CollectorAddress?

  @Option(
    help: ArgumentHelp(
      "Deadline of a call; 10 if not set, 120 for a call that streams its answer.",
      valueName: "seconds"
    ),
    transform: Double.parse
  )
  var timeout: Double?

  mutating func validate() throws {
    if let timeout, !(timeout > 0 && timeout < 1e6) {
      throw ValidationError(
        "--timeout: expected seconds above 0 and below 1,000,000, found \(timeout)"
      )
    }
  }

  /// The address to connect to.
  ///
  /// - Throws: ``CommandFailure`` if the environment names one that can't be used.
  func address() throws(CommandFailure) -> CollectorAddress {
    do {
      return try server ?? .ofEnvironment()
    } catch {
      throw CommandFailure(.usage, "\(error)")
    }
  }

  /// The deadline of a call with one answer.
  var unaryTimeout: Duration { .seconds(timeout ?? 10) }
  /// The deadline of a call that streams its answer.
  var streamTimeout: Duration { .seconds(timeout ?? 120) }
}
