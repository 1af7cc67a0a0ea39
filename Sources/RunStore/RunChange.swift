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
}
