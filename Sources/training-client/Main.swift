import ArgumentParser
import Foundation

/// Runs the command that the arguments name, and says on standard error what went wrong.
@main
struct Main {
  static func main() async {
    // A write to a pipe that nobody reads must not end a training.
    signal(SIGPIPE, SIG_IGN)
    do {
      var command = try await TrainingClient.asyncParseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch let failure as CommandFailure {
      Console.diagnose(failure.description)
      Foundation.exit(failure.status.rawValue)
    } catch {
      exitOfParser(error)
    }
  }

  /// Help ends well; the parser's 64 for wrong usage is 2 here.
  private static func exitOfParser(_ error: any Error) -> Never {
    let message = TrainingClient.fullMessage(for: error)
    if TrainingClient.exitCode(for: error).isSuccess {
      print(message)
      Foundation.exit(0)
    }
    Console.write(message + "\n", to: 2)
    Foundation.exit(CommandFailure.Status.usage.rawValue)
  }
}

/// The command line's root.
struct TrainingClient: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "training-client",
    abstract: "Trains small networks and streams their gradients to a collector.",
    subcommands: [ListCommand.self, RunCommand.self, CompareCommand.self]
  )
}
