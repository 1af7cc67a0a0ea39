public import Telemetry

/// Which alerts are wanted; `nil` and empty members do not restrict.
public struct AlertFilter: Sendable, Equatable {
  /// Only alerts of this run.
  public var run: RunID?
  /// Only alerts of this producer of a run.
  public var producer: ProducerID?
  /// Only alerts of runs of this project.
  public var project: String?
  /// Only alerts of these rules.
  public var rules: Set<RuleID>
  /// Only alerts of this severity or a higher one.
  public var minimumSeverity: Severity?
  /// Only alerts in these states.
  public var states: Set<AlertState>

  /// Makes a filter.
  public init(
    run: RunID? = nil,
    producer: ProducerID? = nil,
    project: String? = nil,
    rules: Set<RuleID> = [],
    minimumSeverity: Severity? = nil,
    states: Set<AlertState> = []
  ) {
    self.run = run
    self.producer = producer
    self.project = project
    self.rules = rules
    self.minimumSeverity = minimumSeverity
    self.states = states
  }
}
