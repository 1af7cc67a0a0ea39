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
    var isRead = false
    do throws(RunStoreError) {
      try read("read log of run \(run)") { db in
        try Self.readLog(of: run, producer, after: sequence, in: db, body)
        isRead = true
      }
    } catch {
      // SQLite ends a transaction so that came to a torn page, of which `body` has been told.
      guard isRead, case .damaged = error else { throw error }
    }
  }

  private static func readLog(
    of run: RunID,
    _ producer: ProducerID,
    after sequence: UInt64,
    in db: Database,
    _ body: (Result<LoggedReport, RunStoreError>) throws(RunStoreError) -> Void
  ) throws {
    let keys = try db.keys(of: run, producer)
    for sequence in try db.logSequences(of: keys.producer, after: sequence) {
      let place = Place(run: run, producer: producer, "report \(sequence)")
      let logged: Result<LoggedReport, RunStoreError>
      do {
        logged = .success(try Self.logged(sequence, of: keys.producer, at: place, in: db))
      } catch let error as RunStoreError {
        guard case .damaged = error else { throw error }
        logged = .failure(error)
      }
      try body(logged)
    }
  }

  private static func logged(
    _ sequence: UInt64,
    of producer: Int64,
    at place: Place,
    in db: Database
  ) throws -> LoggedReport {
    let found = try place.readTorn {
      try db.firstRow(
        "SELECT received_at, rewinds, body, histograms FROM log WHERE producer = ? AND sequence = ?",
        .integer(producer),
        .number(sequence)
      ) { row in
        LoggedReport(
          report: try place.decode { () throws(CodecError) in
            let report = try LogRowCodec.read(
              body: row.blob(2),
              histograms: row.isNull(3) ? nil : row.blob(3)
            )
            guard report.sequence == sequence else {
              throw .unexpected("sequence", expected: "\(sequence)", found: "\(report.sequence)")
            }
            return report
          },
          receivedAt: WallTime(clamping: row.real(0)),
          rewinds: row.integer(1) != 0
        )
      }
    }
    guard let found else { throw place.lost }
    return found
  }
}
