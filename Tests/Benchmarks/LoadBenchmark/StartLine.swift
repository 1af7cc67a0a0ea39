import Synchronization

/// Where streams wait until all are open, so that opening them is not measured.
final class StartLine: Sendable {
  private struct State {
    var missing: Int
    var waiting: [CheckedContinuation<Void, Never>] = []
    var start = ContinuousClock.now
  }

  private let state: Mutex<State>

  /// Makes a line that opens when `count` have arrived.
  init(count: Int) { state = Mutex(State(missing: count)) }

  /// When the last one arrived.
  var start: ContinuousClock.Instant { state.withLock { $0.start } }

  /// Returns when all have arrived.
  func arrive() async {
    await withCheckedContinuation { continuation in
      let released = state.withLock { state in
        state.missing -= 1
        state.waiting.append(continuation)
        guard state.missing == 0 else { return [CheckedContinuation<Void, Never>]() }
        state.start = .now
        defer { state.waiting = [] }
        return state.waiting
      }
      for continuation in released { continuation.resume() }
    }
  }
}
