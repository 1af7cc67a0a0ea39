import Synchronization

/// A value that a test's closures hand out.
public final class LockedBox<Value: Sendable>: Sendable {
  private let storage: Mutex<Value>

  /// Makes a box.
  public init(_ value: Value) { storage = Mutex(value) }

  /// What is in it.
  public var value: Value {
    get { storage.withLock { $0 } }
    set { storage.withLock { $0 = newValue } }
  }
}
