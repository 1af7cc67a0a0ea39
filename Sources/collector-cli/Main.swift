import ArgumentParser
import Foundation

/// Runs the command that the arguments name, and says on standard error what went wrong, in one
/// line.
@main
struct Main {
  static func main() async {
    // A write to a pipe that nobody reads has to be an error, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
    do {
      var command = try await CollectorCLI.asyncParseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch is BrokenPipe {
      // Whoever read our output has seen enough (`| head`).
      Foundation.exit(0)
    } catch let failure as CommandFailure {
      end(with: failure)
    } catch {
      exitOfParser(error)
    }
  }

  private static func end(with failure: CommandFailure) -> Never {
    Diagnostics.write(
      [failure.description, failure.hint].compactMap(\.self).joined(separator: "; ")
    )
    Foundation.exit(failure.status.rawValue)
  }

  /// Help and versions end well; the parser's 64 for wrong usage is 2 here.
  private static func exitOfParser(_ error: any Error) -> Never {
    switch CollectorCLI.exitCode(for: error) {
    case .success:
      print(CollectorCLI.fullMessage(for: error))
      Foundation.exit(0)
    case .validationFailure:
      // The parser's own text ends with the line that says which help to ask for.
      let hint = CollectorCLI.fullMessage(for: error).split(separator: "\n").last ?? ""
      Diagnostics.write(
        CollectorCLI.message(for: error)
          .replacingOccurrences(of: ":\n  - ", with: ": ")
          .replacingOccurrences(of: "\n  - ", with: ", ")
      )
      if hint.contains("--help") {
        Diagnostics.write(hint.trimmingCharacters(in: .whitespaces))
      }
      Foundation.exit(ExitStatus.usage.rawValue)
    default: end(with: CommandFailure(.internalError, "\(error)"))
    }
  }
}
