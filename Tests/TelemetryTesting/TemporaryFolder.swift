import Foundation

/// Runs `body` with the path of a folder of its own, which is removed afterwards.
public func withTemporaryFolder<Value>(
  isolation: isolated (any Actor)? = #isolation,
  _ body: (String) async throws -> Value
) async throws -> Value {
  let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("gradwatch-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try await body(folder.path)
}
