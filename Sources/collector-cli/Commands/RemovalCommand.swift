import ArgumentParser

/// `collector-cli run`: removes runs.
struct RemovalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Delete runs; 'query run' shows one.",
    subcommands: [RunDeleteCommand.self, RunPruneCommand.self]
  )
}
