public import Telemetry

/// Which runs are wanted; `nil` members do not restrict.
public struct RunFilter: Sendable, Equatable {
  /// Only runs of this project.
  public var project: String?
  /// Only runs in this status.
  public var status: RunStatus?
  /// Only runs that were registered at this time or later.
  public var createdSince: WallTime?

  /// Makes a filter.
  public init(project: String? = nil, status: RunStatus? = nil, createdSince: WallTime? = nil) {
    self.project = project
    self.status = status
    self.createdSince = createdSince
  }
}
