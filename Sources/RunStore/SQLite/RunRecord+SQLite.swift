import GRDB
import Telemetry

extension RunRecord {
  /// The columns that ``init(_:in:)`` reads, of the table `runs`.
  static let columns = """
    key, id, project, name, framework, status, status_reason, created_at, finished_at, \
    layer_count, tensor_count, labels
    """

  /// The one tag of a run whose tags and hyper-parameters are damaged.
  private static let damagedTag = "(labels are damaged)"

  /// Reads a run, its producers and the number of its open alerts.
  init(_ row: SQLRow, in db: Database) throws {
    let key = row.integer(0)
    let run = RunID(stored: row.text(1))
    guard let status = RunStatus(rawValue: UInt8(clamping: row.integer(5))) else {
      throw RunStoreError.damaged(
        place: "\(Place(run: run, "status"))",
        detail: "expected 1 to 4, found \(row.integer(5))"
      )
    }
    // What nothing else depends on must not keep the run from being listed, finished and deleted.
    let labels =
      (try? LabelsCodec.read(row.blob(11))) ?? (tags: [Self.damagedTag], hyperparameters: [:])
    self.init(
      run: run,
      project: row.text(2),
      name: row.text(3),
      tags: labels.tags,
      hyperparameters: labels.hyperparameters,
      framework: row.text(4),
      status: status,
      statusReason: row.text(6),
      createdAt: WallTime(clamping: row.real(7)),
      finishedAt: row.isNull(8) ? nil : WallTime(clamping: row.real(8)),
      layerCount: Int(row.integer(9)),
      tensorCount: Int(row.integer(10)),
      producers: [],
      openAlerts: [:]
    )
    try db.rows(
      """
      SELECT id, rank, world_size, last_sequence, last_step, last_received_at
      FROM producers WHERE run = ? ORDER BY id
      """,
      .integer(key)
    ) { row in
      producers.append(ProducerRecord(row))
      return true
    }
    // The condition is that of the index `alerts_open`, word for word: so only the index is read.
    try db.rows(
      """
      SELECT severity, count(*) FROM alerts WHERE run = ? AND state IN (2, 3) GROUP BY severity
      """,
      .integer(key)
    ) { row in
      if let severity = Severity(rawValue: UInt8(clamping: row.integer(0))) {
        openAlerts[severity] = Int(row.integer(1))
      }
      return true
    }
  }
}

extension ProducerRecord {
  fileprivate init(_ row: SQLRow) {
    self.init(
      producer: Producer(
        id: ProducerID(stored: row.text(0)),
        rank: row.isNull(1) ? nil : UInt32(clamping: row.integer(1)),
        worldSize: row.isNull(2) ? nil : UInt32(clamping: row.integer(2))
      ),
      lastSequence: row.number(3),
      lastStep: row.isNull(4) ? nil : row.number(4),
      lastReceivedAt: row.isNull(5) ? nil : WallTime(clamping: row.real(5))
    )
  }
}
