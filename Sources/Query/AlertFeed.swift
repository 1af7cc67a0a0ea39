public import RunStore
import Synchronization
public import Telemetry

/// The newest alert transitions, for everybody who listens.
///
/// One ring for all subscribers: a subscriber owns no queue, only a cursor, so a slow one costs nothing
/// and slows nobody; one that falls behind the ring is told so. Overflow: the oldest transition leaves the
/// ring, and lives on in the store.
public final class AlertFeed: Sendable {
  /// What a subscriber finds after its cursor.
  public enum Reading: Sendable {
    /// These, oldest first; empty if there is nothing new.
    case transitions([StoredTransition])
    /// Older ones than the ring holds are missing: they are in the store.
    case behind
  }

  /// A subscriber's registration, to end it with.
  public struct Listener: Hashable, Sendable { fileprivate let number: UInt64 }

  private struct State {
    var ring: [StoredTransition] = []
    /// The place in `ring` of the oldest transition, once it is full.
    var head = 0
    /// Transitions up to here are in the store but not in the ring.
    var before: AlertCursor
    var last: AlertCursor
    var listeners: [Listener: @Sendable () -> Void] = [:]
    var nextListener: UInt64 = 0
  }

  private let capacity: Int
  private let state: Mutex<State>

  /// Makes a feed.
  ///
  /// - Parameters:
  ///   - cursor: The newest transition in the store, which is where the feed begins.
  ///   - capacity: The most transitions to hold; one takes some kilobytes.
  public init(after cursor: AlertCursor, capacity: Int) {
    precondition(capacity > 0, "a feed holds something")
    self.capacity = capacity
    state = Mutex(State(before: cursor, last: cursor))
  }

  /// The newest transition.
  public var last: AlertCursor { state.withLock { $0.last } }

  /// Takes transitions that have become durable, in cursor order, and wakes all listeners.
  public func publish(_ transitions: [StoredTransition]) {
    guard !transitions.isEmpty else { return }
    let listeners = state.withLock { state in
      for transition in transitions {
        if state.ring.count < capacity {
          state.ring.append(transition)
        } else {
          state.before = state.ring[state.head].cursor
          state.ring[state.head] = transition
          state.head = (state.head + 1) % capacity
        }
        state.last = transition.cursor
      }
      return Array(state.listeners.values)
    }
    for wake in listeners { wake() }
  }

  /// Drops the transitions of a run that was deleted.
  ///
  /// The store has none of them any more, and whoever subscribes again must hear the same from here.
  public func forget(_ run: RunID) {
    state.withLock { state in
      let inOrder = state.ring[state.head...] + state.ring[..<state.head]
      state.ring = inOrder.filter { $0.transition.alert.run != run }
      state.head = 0
    }
  }

  /// Reads up to `limit` transitions after a cursor.
  public func read(after cursor: AlertCursor, limit: Int) -> Reading {
    state.withLock { state in
      guard cursor >= state.before else { return .behind }
      guard cursor < state.last else { return .transitions([]) }
      // Binary search for the first one after the cursor.
      var (low, high) = (0, state.ring.count)
      while low < high {
        let middle = (low + high) / 2
        if state.ring[(state.head + middle) % state.ring.count].cursor <= cursor {
          low = middle + 1
        } else {
          high = middle
        }
      }
      let end = Swift.min(low + limit, state.ring.count)
      return .transitions(
        (low..<end).map { state.ring[(state.head + $0) % state.ring.count] }
      )
    }
  }

  /// Has `wake` called, on any thread, whenever there is something new; it must not block.
  public func listen(_ wake: @escaping @Sendable () -> Void) -> Listener {
    state.withLock { state in
      let listener = Listener(number: state.nextListener)
      state.nextListener += 1
      state.listeners[listener] = wake
      return listener
    }
  }

  /// Ends a registration; safe to repeat.
  public func end(_ listener: Listener) {
    state.withLock { $0.listeners[listener] = nil }
  }
}
