import ArgumentParser
import RunStore

/// `collector store backup`.
struct StoreBackupCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup",
    abstract: "Copy a database as of one moment, also while a collector writes it.",
    discussion: """
      The copy is without free pages, is synced to the disk, and is there as a whole or not at all; while it \
      is made, it stands beside its place with .partial behind its name, and the original's -wal file grows \
      by what is ingested. Serve it with 'collector serve --database COPY', check it with 'collector store \
      verify COPY'.

      Exit status: 0 copied; 1 not, because the disk is full, say; 2 no such file, or something is at the \
      copy's place.
      """
  )

  @Argument(help: "The database file.")
  var path: String

  @Argument(help: "Where the copy is to be; nothing may be there.")
  var copy: String

  func run() throws {
    do throws(RunStoreError) {
      try SQLiteRunStore.backUp(path: path, to: copy)
    } catch {
      let isUsage =
        switch error {
        case .cannotOpen, .newerVersion: true
        default: false
        }
      throw StartupError(description: "\(error)", status: isUsage ? 2 : 1)
    }
  }
}
