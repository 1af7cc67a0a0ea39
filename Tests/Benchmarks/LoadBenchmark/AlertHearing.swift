import Synchronization

/// Who heard of which run's alert, and how long it took.
final class AlertHearing: Sendable {
  private struct State {
    /// When each run's report was sent.
    var sent: [ContinuousClock.Instant?]
    var latencies = Latencies()
    var missing: Int
  }

  private let state: Mutex<State>

  /// Expects each subscriber to hear of each run once.
  init(runs: Int, subscribers: Int) {
    state = Mutex(
      State(sent: Array(repeating: nil, count: runs), missing: runs * subscribers)
    )
  }

  /// The identifier of a run.
  static func run(_ index: Int) -> String { "alert-\(index)" }

  /// A run's report is about to be sent.
  func sent(_ index: Int) {
    let now = ContinuousClock.now
    state.withLock { $0.sent[index] = now }
  }

  /// A subscriber heard of a run's alert.
  func heard(of run: String) {
    let now = ContinuousClock.now
    guard let index = run.split(separator: "-").last.flatMap({ Int($0) }) else { return }
    state.withLock { state in
      guard let sent = state.sent[index] else { return }
      state.latencies.add(now - sent)
      state.missing -= 1
    }
  }

  /// Returns when all have heard, or after some time.
  func wait(for limit: Duration) async throws {
    let end = ContinuousClock.now + limit
    while state.withLock({ $0.missing }) > 0, ContinuousClock.now < end {
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  /// How long it took each time, and how often nobody heard.
  var result: (Latencies, missing: Int) { state.withLock { ($0.latencies, $0.missing) } }
}
