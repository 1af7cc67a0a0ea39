public import Telemetry

/// What a run takes, and when it ended: what retention goes by.
public struct RunFootprint: Sendable, Equatable {
  /// The run.
  public var run: RunID
  /// Its project.
  public var project: String
  /// When it ended or its last report arrived, whichever was later; `nil` while it runs.
  public var endedAt: WallTime?
  /// When its last report arrived, or it was registered first.
  public var lastHeardAt: WallTime
  /// The number of its reports that a reader sees.
  public var reports: UInt64
  /// About how many bytes its reports, model and snapshots take, without the database's own overhead.
  public var bytes: UInt64

  /// Makes a footprint.
  public init(
    run: RunID,
    project: String,
    endedAt: WallTime?,
    lastHeardAt: WallTime,
    reports: UInt64,
    bytes: UInt64
  ) {
    self.run = run
    self.project = project
    self.endedAt = endedAt
    self.lastHeardAt = lastHeardAt
    self.reports = reports
    self.bytes = bytes
  }
}
