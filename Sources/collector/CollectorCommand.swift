import ArgumentParser
import CollectorService
import Foundation

/// `collector`: the server, and what is done with its file.
@main
struct CollectorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "collector",
    abstract: "Collects gradient telemetry, keeps it, and says what is wrong.",
    version: CollectorOptions.version,
    subcommands: [ServeCommand.self, StoreCommand.self]
  )

  /// Exit statuses: 0 done, 1 could not serve or found damage, 2 wrong usage or configuration.
  static func main() async {
    do {
      var command = try parseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch let error as SettingError {
      fail("\(error)", status: 2)
    } catch let error as StartupError {
      fail("\(error)", status: error.status)
    } catch let status as ExitCode {
      // What there was to say is said.
      Foundation.exit(status.rawValue)
    } catch {
      // Help and version end here too, with status 0.
      let status = exitCode(for: error).rawValue
      guard status == 0 else {
        let message = message(for: error).split(whereSeparator: \.isNewline).joined(separator: " ")
        fail("\(message) (see collector --help)", status: 2)
      }
      print(fullMessage(for: error))
    }
  }

  private static func fail(_ message: String, status: Int32) -> Never {
    // If nobody reads it, the status says it.
    try? FileHandle.standardError.write(contentsOf: Data("collector: \(message)\n".utf8))
    Foundation.exit(status)
  }
}
