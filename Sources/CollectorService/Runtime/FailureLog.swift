package import Logging
import Synchronization

/// Tells an operator that something fails, a line a minute at most for each reason, and that it works again.
///
/// Clients are told of each failure; an operator sees none of them.
package final class FailureLog: Sendable {
  private struct State {
    /// Failures since the last line.
    var count = 0
    var isFailing = false
    /// When each reason was told, of those of the last minute.
    var toldAt: [String: ContinuousClock.Instant] = [:]
  }

  private static let interval = Duration.seconds(60)
  /// The most reasons that are told in that time.
  private static let mostReasons = 64

  private let what: String
  private let logger: Logger
  private let state = Mutex(State())

  /// Makes a log in which nothing has failed; `what` is a verb.
  package init(_ what: String, _ logger: Logger) {
    self.what = what
    self.logger = logger
  }

  /// It failed.
  package func failed(_ error: any Error) {
    let reason = "\(error)"
    let count: Int? = state.withLock { state in
      state.count += 1
      let now = ContinuousClock.now
      state.toldAt = state.toldAt.filter { now - $0.value < Self.interval }
      guard state.toldAt[reason] == nil, state.toldAt.count < Self.mostReasons else { return nil }
      state.isFailing = true
      state.toldAt[reason] = now
      defer { state.count = 0 }
      return state.count
    }
    guard let count else { return }
    logger.error("cannot \(what)", metadata: ["error": "\(reason)", "failed": "\(count)"])
  }

  /// It succeeded; how often it failed beside what was told is told with it.
  func succeeded() {
    let count: Int? = state.withLock { state in
      guard state.isFailing else { return nil }
      defer { (state.isFailing, state.count) = (false, 0) }
      return state.count
    }
    guard let count else { return }
    logger.notice("can \(what) again", metadata: ["failed": "\(count)"])
  }
}
