public import Telemetry

extension RunChange {
  /// A report that ingest accepted, with what detection made of it, in the form in which it is stored.
  ///
  /// A reference, because it is handed on many times.
  public final class AcceptedReport: Sendable {
    /// The run.
    public let run: RunID
    /// The producer.
    public let producer: ProducerID
    /// The report's number, which is one above the producer's last.
    public let sequence: UInt64
    /// The report's step.
    public let step: UInt64
    /// When it arrived, by the collector's clock.
    public let receivedAt: WallTime
    /// Whether the producer went back: its points at this step and above are dropped first.
    public let rewinds: Bool
    /// What detection said, in order.
    public let transitions: [AlertTransition]
    /// The detector's state after this report, if a snapshot is due.
    public let snapshot: [UInt8]?

    let annotations: [StepAnnotation]
    /// What is stored of the report; or why it can't be, which the commit says.
    let row: Result<LogRowBytes, CodecError>

    /// About how much memory it holds, in bytes, but for transitions and snapshot.
    public var byteCount: Int { Self.overhead + ((try? row.get().count) ?? 0) }
    /// What it takes besides, and what waits with it.
    private static let overhead = 640

    /// Makes an accepted report, which takes as long as a copy of the report.
    ///
    /// A report that no model can have is refused by the commit, as ``RunStoreError/damaged(place:detail:)``.
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
      self.sequence = report.sequence
      self.step = report.step
      self.receivedAt = receivedAt
      self.rewinds = rewinds
      self.transitions = transitions
      self.snapshot = snapshot
      self.annotations = report.scalars.annotations
      self.row = Result { () throws(CodecError) in try LogRowBytes(report) }
    }

    /// The same report, and transitions that follow its own.
    public func adding(_ transitions: [AlertTransition]) -> AcceptedReport {
      transitions.isEmpty ? self : AcceptedReport(self, self.transitions + transitions)
    }

    private init(_ other: AcceptedReport, _ transitions: [AlertTransition]) {
      run = other.run
      producer = other.producer
      sequence = other.sequence
      step = other.step
      receivedAt = other.receivedAt
      rewinds = other.rewinds
      self.transitions = transitions
      snapshot = other.snapshot
      annotations = other.annotations
      row = other.row
    }
  }
}
