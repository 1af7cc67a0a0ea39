import GRDB
import Telemetry

/// One transaction that applies a group of changes.
///
/// What it learns of a producer it keeps until ``finish()``, so that a group of many reports of one
/// producer reads and writes the producer's row, and its snapshot, once.
struct CommitGroup: ~Copyable {
  /// A producer's row, and what the group changes of it.
  struct ProducerState {
    let key: Int64
    var lastSequence: UInt64
    var lastStep: UInt64?
    var lastReceivedAt: Double?
    /// The last sequence number that the newest snapshot covers.
    var coveredSequence: UInt64
    /// The number of its reports in the log, and of those that the snapshot covers.
    var logRows: Int64
    var coveredRows: Int64
    /// ``coveredRows`` as the row has it.
    let storedCoveredRows: Int64
    /// The snapshot to write; `nil` if the group has none.
    var snapshot: [UInt8]?
  }

  /// Which producer a change speaks of.
  struct ProducerName: Hashable {
    let run: RunID
    let producer: ProducerID
  }

  /// The cursors of the transitions, in order.
  private(set) var cursors: [AlertCursor] = []

  let db: Database
  private let logGrowsAtFront: Bool
  private var producers: [ProducerName: ProducerState] = [:]
  private var runs: [RunID: (key: Int64, project: String)] = [:]
  var body = ByteWriter(capacity: 1 << 16)
  /// Made for a group that has a snapshot or an alert: few have one.
  lazy var deflater = Deflater()

  /// Starts a group in a transaction that has begun; whether the log grows before its first row, or behind its last.
  init(_ db: Database, logGrowsAtFront: Bool) {
    self.db = db
    self.logGrowsAtFront = logGrowsAtFront
  }

  /// Applies one change.
  mutating func apply(_ change: RunChange) throws {
    switch change {
    case .report(let report): try apply(report)
    case .refusal(let run, let producer, let sequence):
      let name = ProducerName(run: run, producer: producer)
      var state = try state(of: name)
      try Self.advance(&state, of: name, to: sequence)
      producers[name] = state
    case .finish(let run, let status, let reason, let time):
      let key = try self.run(run).key
      try db.run(
        "UPDATE runs SET status = ?, status_reason = ?, finished_at = ? WHERE key = ?",
        .integer(Int64(status.rawValue)),
        .text(reason),
        .real(time.seconds),
        .integer(key)
      )
    case .snapshot(let run, let producer, let sequence, let snapshot):
      let name = ProducerName(run: run, producer: producer)
      var state = try state(of: name)
      guard sequence == state.lastSequence else {
        throw RunStoreError.sequenceConflict(
          run: run,
          producer: producer,
          expected: state.lastSequence,
          found: sequence
        )
      }
      Self.cover(&state, with: snapshot)
      producers[name] = state
    case .transitions(let transitions):
      for transition in transitions { try store(transition) }
    }
  }

  /// Writes what was kept of the producers.
  mutating func finish() throws {
    for state in producers.values {
      try db.run(
        """
        UPDATE producers SET last_sequence = ?, last_step = ?, last_received_at = ?,
          covered_sequence = ?, log_rows = ?
        WHERE key = ?
        """,
        .number(state.lastSequence),
        .number(state.lastStep),
        .real(state.lastReceivedAt),
        .number(state.coveredSequence),
        .integer(state.logRows),
        .integer(state.key)
      )
      // By itself: an index has it, a page of which would be written with each commit.
      if state.coveredRows != state.storedCoveredRows {
        try db.run(
          "UPDATE producers SET covered_rows = ? WHERE key = ?",
          .integer(state.coveredRows),
          .integer(state.key)
        )
      }
      guard let snapshot = state.snapshot else { continue }
      body.removeAll()
      SnapshotCodec.write(snapshot, to: &body, deflater)
      try db.run(
        "INSERT OR REPLACE INTO snapshots(producer, sequence, state) VALUES (?, ?, ?)",
        .integer(state.key),
        .number(state.coveredSequence),
        .blob(body.bytes)
      )
    }
  }

  private mutating func apply(_ report: RunChange.AcceptedReport) throws {
    let name = ProducerName(run: report.run, producer: report.producer)
    var state = try state(of: name)
    try Self.advance(&state, of: name, to: report.sequence)
    // Points ascend by step whatever the caller says: every reader builds on it.
    let rewinds = report.rewinds || state.lastStep.map { report.step <= $0 } ?? false
    if rewinds { try drop(from: report.step, of: name, &state) }
    try append(report, rewinds: rewinds, to: state.key)
    state.lastStep = report.step
    state.lastReceivedAt = report.receivedAt.seconds
    // What was read back may say anything.
    state.logRows &+= 1
    if let snapshot = report.snapshot { Self.cover(&state, with: snapshot) }
    producers[name] = state
    for transition in report.transitions { try store(transition) }
  }

  private mutating func append(
    _ report: RunChange.AcceptedReport,
    rewinds: Bool,
    to producer: Int64
  ) throws {
    let row: LogRowBytes
    do {
      row = try report.row.get()
    } catch {
      let place = Place(
        run: report.run,
        producer: report.producer,
        "report \(report.sequence)"
      )
      throw RunStoreError.damaged(place: "\(place)", detail: error.detail)
    }
    try row.withBlobs { body, histograms in
      try db.run(
        """
        INSERT INTO log(key, producer, sequence, step, received_at, rewinds, body, histograms)
        VALUES (\(logGrowsAtFront ? "(SELECT min(key) - 1 FROM log)" : "NULL"), ?, ?, ?, ?, ?, ?, ?)
        """,
        .integer(producer),
        .number(report.sequence),
        .number(report.step),
        .real(report.receivedAt.seconds),
        .integer(rewinds ? 1 : 0),
        .blob(body),
        histograms.map { .blob($0) } ?? .null
      )
    }
    for annotation in report.annotations {
      try db.run(
        """
        INSERT INTO annotations(run, producer, step, received_at, action, detail, alert)
        VALUES (?, ?, ?, ?, ?, ?, ?)
        """,
        .integer(try run(report.run).key),
        .integer(producer),
        .number(report.step),
        .real(report.receivedAt.seconds),
        .text(annotation.action),
        .text(annotation.detail),
        annotation.alert.map { .text($0.rawValue) } ?? .null
      )
    }
  }

  private mutating func store(_ transition: AlertTransition) throws {
    let alert = transition.alert
    let run = try self.run(alert.run)
    body.removeAll()
    AlertCodec.write(alert, to: &body, deflater)
    // A run that is registered anew while the one before it is being deleted raises alerts with the
    // same identifiers: it takes the rows over.
    let key = try db.firstRow(
      """
      INSERT INTO alerts(id, run, project, producer, rule, severity, state, first_step, body)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT(id) DO UPDATE SET run = excluded.run, project = excluded.project,
        severity = excluded.severity, state = excluded.state, body = excluded.body
      RETURNING key
      """,
      .text(alert.id.rawValue),
      .integer(run.key),
      .text(run.project),
      .text(alert.producer.rawValue),
      .text(alert.rule.rawValue),
      .integer(Int64(alert.severity.rawValue)),
      .integer(Int64(alert.state.rawValue)),
      .number(alert.firstStep),
      .blob(body.bytes)
    ) { $0.integer(0) }
    body.removeAll()
    AlertCodec.write(transition, to: &body, deflater)
    try db.run(
      "INSERT INTO alert_transitions(alert, run, body) VALUES (?, ?, ?)",
      .integer(key ?? 0),
      .integer(run.key),
      .blob(body.bytes)
    )
    cursors.append(AlertCursor(db.lastInsertedRowID))
  }

  mutating func run(_ run: RunID) throws -> (key: Int64, project: String) {
    if let known = runs[run] { return known }
    let found = try db.firstRow(
      "SELECT key, project FROM runs WHERE id = ?",
      .text(run.rawValue)
    ) { (key: $0.integer(0), project: $0.text(1)) }
    guard let found else { throw RunStoreError.unknownRun(run) }
    runs[run] = found
    return found
  }

  private mutating func state(of name: ProducerName) throws -> ProducerState {
    if let known = producers[name] { return known }
    let run = try self.run(name.run).key
    let found = try db.firstRow(
      """
      SELECT key, last_sequence, last_step, last_received_at, covered_sequence, log_rows,
        covered_rows
      FROM producers WHERE run = ? AND id = ?
      """,
      .integer(run),
      .text(name.producer.rawValue)
    ) { row in
      ProducerState(
        key: row.integer(0),
        lastSequence: row.number(1),
        lastStep: row.isNull(2) ? nil : row.number(2),
        lastReceivedAt: row.isNull(3) ? nil : row.real(3),
        coveredSequence: row.number(4),
        logRows: row.integer(5),
        coveredRows: row.integer(6),
        storedCoveredRows: row.integer(6)
      )
    }
    guard let found else { throw RunStoreError.unknownProducer(name.run, name.producer) }
    return found
  }

  private static func advance(
    _ state: inout ProducerState,
    of name: ProducerName,
    to sequence: UInt64
  ) throws(RunStoreError) {
    guard sequence == state.lastSequence + 1 else {
      throw .sequenceConflict(
        run: name.run,
        producer: name.producer,
        expected: state.lastSequence + 1,
        found: sequence
      )
    }
    state.lastSequence = sequence
  }

  private static func cover(_ state: inout ProducerState, with snapshot: [UInt8]) {
    state.snapshot = snapshot
    state.coveredSequence = state.lastSequence
    state.coveredRows = state.logRows
  }
}
