import Synchronization

/// Whether something happened, told across the border of a closure that gRPC calls.
final class Occurrence: Sendable {
  private let value = Mutex(false)

  /// Says that it happened; true the first time.
  @discardableResult
  func happen() -> Bool {
    value.withLock { value in
      defer { value = true }
      return !value
    }
  }

  /// Whether it did.
  var hasHappened: Bool { value.withLock { $0 } }
}
