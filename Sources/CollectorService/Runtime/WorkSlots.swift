import Synchronization

/// How many works of one kind may be under way: each keeps a core busy that ingest may need.
///
/// Overflow: the work is refused, with when to try again.
final class WorkSlots: Sendable {
  /// The most at once.
  static let maximum = 2

  private let taken = Mutex(0)
  private let overflow: @Sendable (Int) -> Failure

  /// Makes free slots.
  ///
  /// - Parameter overflow: What a work is refused with, made from the limit.
  init(overflow: @escaping @Sendable (Int) -> Failure) { self.overflow = overflow }

  /// Runs `body` in a slot.
  ///
  /// - Throws: The overflow's status if there is no slot, or what `body` throws.
  func hold<Value>(_ body: () async throws -> Value) async throws -> Value {
    let isFree = taken.withLock { taken in
      guard taken < Self.maximum else { return false }
      taken += 1
      return true
    }
    guard isFree else { throw overflow(Self.maximum).status }
    defer { taken.withLock { $0 -= 1 } }
    return try await body()
  }
}
