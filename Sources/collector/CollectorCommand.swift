import ArgumentParser
import CollectorService
import Foundation

/// `collector`: the server.
@main
struct CollectorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "collector",
    abstract: "Collects gradient telemetry, keeps it, and says what is wrong.",
    version: CollectorOptions.version,
    subcommands: [ServeCommand.self]
  )

  /// Exit statuses: 0 done, 1 could not serve, 2 wrong usage or configuration.
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
      fail("\(error)", status: 1)
    } catch {
      // Help and version end here too, with status 0.
      let status = exitCode(for: error).rawValue
      let text = fullMessage(for: error)
      if status == 0 { print(text) } else { fail(text, status: 2) }
    }
  }

  private static func fail(_ message: String, status: Int32) -> Never {
    let prefix = message.hasPrefix("Error:") ? "" : "collector: "
    FileHandle.standardError.write(Data((prefix + message + "\n").utf8))
    Foundation.exit(status)
  }
}
