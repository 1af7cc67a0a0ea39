import ArgumentParser

/// `collector-cli silence`: keeps alerts from being pushed for a time.
struct SilenceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "silence",
    abstract: "Keep some alerts from being pushed for a time; they are stored and listed as ever.",
    subcommands: [
      SilenceAddCommand.self, SilenceListCommand.self, SilenceRemoveCommand.self,
    ]
  )
}
