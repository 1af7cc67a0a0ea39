import Foundation

/// A folder of one test, removed with it.
final class TemporaryFolder: Sendable {
  /// The folder.
  let path: String

  /// Makes a folder that no other test has.
  init() throws {
    path =
      FileManager.default.temporaryDirectory
      .appendingPathComponent("RunStoreTests-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// A path in the folder.
  func file(_ name: String = "runs.sqlite") -> String { path + "/" + name }
}
