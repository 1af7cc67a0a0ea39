import Synchronization

/// How many rule tests may be under way: each keeps a core busy that ingest may need.
final class RuleTestSlots: Sendable {
  /// The most at once.
  static let maximum = 2

  private let taken = Mutex(0)

  /// Runs `body` in a slot.
  ///
  /// - Throws: ``Failure/tooManyTests(limit:)`` if there is none, or what `body` throws.
  func hold<Value>(_ body: () async throws -> Value) async throws -> Value {
    let isFree = taken.withLock { taken in
      guard taken < Self.maximum else { return false }
      taken += 1
      return true
    }
    guard isFree else { throw Failure.tooManyTests(limit: Self.maximum).status }
    defer { taken.withLock { $0 -= 1 } }
    return try await body()
  }
}
