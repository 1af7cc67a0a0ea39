public import Telemetry

/// What the store knows of a run, without its model.
public struct RunRecord: Sendable, Equatable {
  /// The run.
  public var run: RunID
  /// The project that groups runs.
  public var project: String
  /// The name for people; empty if the client gave none.
  public var name: String
  /// Free labels.
  public var tags: [String]
  /// Hyper-parameters by name, as text.
  public var hyperparameters: [String: String]
  /// The framework and its version; empty if unknown.
  public var framework: String
  /// Where the run is in its life.
  public var status: RunStatus
  /// Why it ended; empty while it runs or if the client gave no reason.
  public var statusReason: String
  /// When it was first registered.
  public var createdAt: WallTime
  /// When it ended; `nil` while it runs.
  public var finishedAt: WallTime?
  /// The number of its layers.
  public var layerCount: Int
  /// The number of its tensors.
  public var tensorCount: Int
  /// Its producers, by identifier.
  public var producers: [ProducerRecord]
  /// The number of its alerts that are firing or acknowledged, by severity.
  public var openAlerts: [Severity: Int]

  /// Makes a record.
  public init(
    run: RunID,
    project: String,
    name: String,
    tags: [String],
    hyperparameters: [String: String],
    framework: String,
    status: RunStatus,
    statusReason: String,
    createdAt: WallTime,
    finishedAt: WallTime?,
    layerCount: Int,
    tensorCount: Int,
    producers: [ProducerRecord],
    openAlerts: [Severity: Int]
  ) {
    self.run = run
    self.project = project
    self.name = name
    self.tags = tags
    self.hyperparameters = hyperparameters
    self.framework = framework
    self.status = status
    self.statusReason = statusReason
    self.createdAt = createdAt
    self.finishedAt = finishedAt
    self.layerCount = layerCount
    self.tensorCount = tensorCount
    self.producers = producers
    self.openAlerts = openAlerts
  }

  /// The highest last step of its producers; `nil` before the first report.
  public var lastStep: UInt64? { producers.compactMap(\.lastStep).max() }

  /// When its last report arrived; `nil` before the first.
  public var lastReceivedAt: WallTime? { producers.compactMap(\.lastReceivedAt).max() }
}
