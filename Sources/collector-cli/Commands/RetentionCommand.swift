import ArgumentParser

/// `collector-cli retention`: how much is kept.
struct RetentionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retention",
    abstract: "Set how much is kept of projects; the collector deletes what is beyond every hour.",
    subcommands: [RetentionSetCommand.self, RetentionShowCommand.self]
  )
}
