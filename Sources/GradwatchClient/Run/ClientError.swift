/// Why telemetry could not be delivered.
///
/// Training is never affected by it.
public enum ClientError: Error, Equatable, Sendable {
  /// No collector answered, and ``RunOptions/requiresCollector`` is set.
  ///
  /// Start one, or try again later.
  case unreachable(String)
  /// The collector refuses this run for good.
  ///
  /// Another model is registered under its id, a field is out of range, or the client may not
  /// speak. `reason` is the collector's own word, such as `MODEL_DIFFERS`, or empty. Change what it
  /// says before trying again.
  case rejected(code: String, reason: String, message: String)
  /// A newer process speaks for the same run and producer.
  ///
  /// Nothing to do if that is a restart; else give
  /// each process a producer id of its own.
  case superseded
  /// The transport ended by itself, or was used before.
  ///
  /// Make a new one for each run.
  case transportEnded(String)
  /// The run ended, and not everything was delivered in the time that ``RunOptions/flushTimeout``
  /// gives.
  case incomplete(pendingReports: Int, lastProblem: String)
}

extension ClientError: CustomStringConvertible {
  /// What happened, as one fragment.
  public var description: String {
    switch self {
    case .unreachable(let problem): "no collector answered: \(problem)"
    case .rejected(let code, let reason, let message):
      "the collector refused the run: \(reason.isEmpty ? code : reason): \(message)"
    case .superseded: "a newer process streams for the same run and producer"
    case .transportEnded(let problem): "the transport ended: \(problem)"
    case .incomplete(let pending, let problem):
      "the run ended with \(pending) reports not delivered"
        + (problem.isEmpty ? "" : ": \(problem)")
    }
  }
}
