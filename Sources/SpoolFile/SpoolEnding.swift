public import Telemetry

/// How a run ended, as its spool says.
public struct SpoolEnding: Hashable, Sendable {
  /// Finished, failed or aborted.
  public var status: RunStatus
  /// Why, for people, as it was written; empty if there is nothing to say.
  public var reason: String

  /// Makes an ending.
  public init(status: RunStatus, reason: String) {
    self.status = status
    self.reason = reason
  }
}
