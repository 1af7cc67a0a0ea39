public import Telemetry

/// One change of a run that a commit makes durable.
public enum RunChange: Sendable {
  /// A report that ingest accepted, with what detection made of it.
  case report(AcceptedReport)
  /// A report that ingest refused: only its sequence number is kept, so that the producer's next one
  /// follows it after a restart too.
  case refusal(run: RunID, producer: ProducerID, sequence: UInt64)
  /// The end of a run.
  case finish(run: RunID, status: RunStatus, reason: String, at: WallTime)
  /// A detector's state, as of the producer's last report in commit order, whose sequence number is given: had that one been lost,
  /// the state would be of a report that nobody has.
  case snapshot(run: RunID, producer: ProducerID, sequence: UInt64, state: [UInt8])
  /// Alert transitions that no report caused: by a clock or a person.
  case transitions([AlertTransition])

  /// A report that ingest accepted, with what detection made of it.
  ///
  /// A reference, because a report is forty arrays, and a change is handed on many times.
  public final class AcceptedReport: Sendable {
    /// The run.
    public let run: RunID
    /// The producer.
    public let producer: ProducerID
    /// The report; its sequence number is one above the producer's last.
    public let report: StepReport
    /// When it arrived, by the collector's clock.
    public let receivedAt: WallTime
    /// Whether the producer went back: its points at this step and above are dropped first.
    public let rewinds: Bool
    /// What detection said, in order.
    public let transitions: [AlertTransition]
    /// The detector's state after this report, if a snapshot is due.
    public let snapshot: [UInt8]?

    /// Makes an accepted report.
    public init(
      run: RunID,
      producer: ProducerID,
      report: StepReport,
      receivedAt: WallTime,
      rewinds: Bool = false,
      transitions: [AlertTransition] = [],
      snapshot: [UInt8]? = nil
    ) {
      self.run = run
      self.producer = producer
      self.report = report
      self.receivedAt = receivedAt
      self.rewinds = rewinds
      self.transitions = transitions
      self.snapshot = snapshot
    }
  }
}
