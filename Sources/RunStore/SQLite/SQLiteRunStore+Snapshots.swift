import GRDB
public import Telemetry

extension SQLiteRunStore {
  /// The newest snapshot of a producer's detector, or `nil` if none was taken.
  public func snapshot(
    of run: RunID,
    producer: ProducerID
  ) throws(RunStoreError) -> DetectorSnapshot? {
    try read("read snapshot of run \(run)") { db in
      let keys = try db.keys(of: run, producer)
      let place = Place(run: run, producer: producer, "detector snapshot")
      let snapshot = try db.firstRow(
        "SELECT sequence, state FROM snapshots WHERE producer = ?",
        .integer(keys.producer)
      ) { row in
        let state = try place.decode { () throws(CodecError) in try SnapshotCodec.read(row.blob(1))
        }
        return DetectorSnapshot(sequence: row.number(0), state: state)
      }
      guard snapshot == nil else { return snapshot }
      let covered = try db.firstRow(
        "SELECT covered_sequence FROM producers WHERE key = ?",
        .integer(keys.producer)
      ) { $0.integer(0) }
      if covered ?? 0 > 0 {
        throw RunStoreError.damaged(place: "\(place)", detail: CodecError.lost.detail)
      }
      return nil
    }
  }

  /// Reads a producer's log rows with sequence numbers above `sequence`, in order.
  public func readLog(
    of run: RunID,
    producer: ProducerID,
    after sequence: UInt64,
    _ body: (Result<LoggedReport, RunStoreError>) throws(RunStoreError) -> Void
  ) throws(RunStoreError) {
    try read("read log of run \(run)") { db in
      let keys = try db.keys(of: run, producer)
      try db.rows(
        """
        SELECT sequence, received_at, rewinds, body, histograms FROM log
        WHERE producer = ? AND sequence > ? ORDER BY sequence
        """,
        .integer(keys.producer),
        .number(sequence)
      ) { row in
        let place = Place(run: run, producer: producer, "report \(row.number(0))")
        let logged = Result { () throws(RunStoreError) in
          LoggedReport(
            report: try place.decode { () throws(CodecError) in
              let report = try LogRowCodec.read(
                body: row.blob(3),
                histograms: row.isNull(4) ? nil : row.blob(4)
              )
              guard report.sequence == row.number(0) else {
                throw .unexpected(
                  "sequence",
                  expected: "\(row.number(0))",
                  found: "\(report.sequence)"
                )
              }
              return report
            },
            receivedAt: WallTime(clamping: row.real(1)),
            rewinds: row.integer(2) != 0
          )
        }
        try body(logged)
        return true
      }
    }
  }
}
