import Synchronization

/// Wakes one task that waits for a change; changes that come while it is awake are one change.
///
/// Holds nothing but a flag, so it can't grow: the state that changed is elsewhere, under its own lock.
package final class Signal: Sendable {
  private enum State {
    case idle
    case raised
    case waiting(CheckedContinuation<Void, Never>)
    /// Every wait returns at once, now and later: the waiting task was cancelled.
    case cancelled
  }

  private let state = Mutex(State.idle)

  /// Makes a signal that was not raised.
  package init() {}

  /// Says that something changed; callable from any thread, never blocks.
  package func raise() {
    let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
      switch state {
      case .idle, .raised:
        state = .raised
        return nil
      case .waiting(let continuation):
        state = .idle
        return continuation
      case .cancelled: return nil
      }
    }
    waiter?.resume()
  }

  /// Returns when something has changed since the last wait, or when the task is cancelled.
  ///
  /// - Precondition: One task waits at a time.
  package func wait() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isDone = state.withLock { state in
          switch state {
          case .idle:
            state = .waiting(continuation)
            return false
          case .raised:
            state = .idle
            return true
          case .waiting: preconditionFailure("a signal has one waiter")
          case .cancelled: return true
          }
        }
        if isDone { continuation.resume() }
      }
    } onCancel: {
      let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
        defer { state = .cancelled }
        if case .waiting(let continuation) = state { return continuation }
        return nil
      }
      waiter?.resume()
    }
  }
}
