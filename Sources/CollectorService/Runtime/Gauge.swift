import Synchronization

/// How many of something are under way.
final class Gauge: Sendable {
  private let number = Atomic(0)

  /// How many there are now.
  var value: Int { number.load(ordering: .relaxed) }

  /// Counts `body` while it runs.
  func counting<Value>(_ body: () async throws -> Value) async throws -> Value {
    number.add(1, ordering: .relaxed)
    defer { number.subtract(1, ordering: .relaxed) }
    return try await body()
  }
}
