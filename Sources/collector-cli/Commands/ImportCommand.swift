import ArgumentParser

/// `collector-cli import`: brings runs in that were recorded elsewhere.
struct ImportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Bring runs in that were recorded elsewhere.",
    subcommands: [ImportTracesCommand.self, ImportSpoolCommand.self]
  )
}
