import ArgumentParser
import Foundation
import RunStore

/// `collector store verify`.
struct StoreVerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Read everything in a database back, and say what is damaged and what is sound.",
    discussion: """
      The file is only read, in one transaction a run, so a collector may have it open; a file of an older \
      version is read as it is. A line a damage: run, producer, tensor or layer, steps, what was expected \
      and found, and what of it can still be read; then what is sound.

      Exit status: 0 sound; 1 damaged; 2 there is no such file, or it is none that this version can read.
      """
  )

  @Argument(help: "The database file.")
  var path: String

  func run() throws {
    let result: StoreVerification
    do throws(RunStoreError) {
      result = try SQLiteRunStore.verify(path: path) { print($0) }
    } catch .damaged(let place, let detail) {
      // So damaged that SQLite does not open it.
      print(StoredDamage(place: place, detail: detail))
      throw ExitCode(1)
    } catch {
      throw StartupError(description: "\(error)", status: 2)
    }
    func words(_ count: StoreVerification.Count, _ what: String) -> String {
      "\(count.sound) of \(count.all) \(what)"
    }
    print(
      "sound: \(words(result.runs, "runs")), \(words(result.segments, "segments")), "
        + "\(words(result.reports, "reports")), \(words(result.alerts, "alerts"))"
    )
    guard result.isSound else {
      print("damaged: \(result.damages) \(result.damages == 1 ? "place" : "places")")
      throw ExitCode(1)
    }
  }
}
