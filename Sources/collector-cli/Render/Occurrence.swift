import Synchronization

/// Whether something happened, told across the border of a closure that gRPC calls.
final class Occurrence: Sendable {
  private let value = Mutex(false)

  /// Says that it happened.
  func raise() { value.withLock { $0 = true } }

  /// Whether it did.
  var isRaised: Bool { value.withLock { $0 } }
}
