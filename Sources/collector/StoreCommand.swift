import ArgumentParser

/// `collector store`: what an operator does with a database file.
struct StoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "store",
    abstract: "Check or copy a database file; a collector may have it open, and goes on.",
    subcommands: [StoreVerifyCommand.self, StoreBackupCommand.self]
  )
}
