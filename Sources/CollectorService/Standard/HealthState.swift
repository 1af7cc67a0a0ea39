import Synchronization

/// Whether calls are served, for everybody who asks or watches.
final class HealthState: Sendable {
  private struct State {
    var isServing = true
    var watchers: [UInt64: Signal] = [:]
    var next: UInt64 = 0
  }

  private let state = Mutex(State())

  /// Whether calls are served.
  var isServing: Bool { state.withLock { $0.isServing } }

  /// Says that no more calls will be served, and wakes all watchers; safe to repeat.
  func shutDown() {
    let watchers = state.withLock { state in
      state.isServing = false
      return Array(state.watchers.values)
    }
    for watcher in watchers { watcher.raise() }
  }

  /// Runs `body` with a signal that is raised when the state changes.
  func watching(_ body: (Signal) async throws -> Void) async throws {
    let signal = Signal()
    let number = state.withLock { state in
      state.next += 1
      state.watchers[state.next] = signal
      return state.next
    }
    defer { state.withLock { $0.watchers[number] = nil } }
    try await body(signal)
  }
}
