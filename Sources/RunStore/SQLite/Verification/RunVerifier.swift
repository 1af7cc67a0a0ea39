import GRDB
import Telemetry

/// Reads everything of one run back, in one read transaction.
struct RunVerifier {
  private let verifier: StoreVerifier
  private let db: Database
  private let run: RunID
  private let key: Int64

  /// Takes a run, and who counts.
  init(_ verifier: StoreVerifier, _ db: Database, run: RunID, key: Int64) {
    self.verifier = verifier
    self.db = db
    self.run = run
    self.key = key
  }

  /// Verifies the run; returns whether it is there.
  func verify() throws -> Bool {
    let isThere: Void? = try db.firstRow(
      "SELECT labels, status FROM runs WHERE key = ? AND id = ?",
      .integer(key),
      .text(run.rawValue)
    ) { row in
      decode(Place(run: run, "labels")) { () throws(CodecError) in
        _ = try LabelsCodec.read(row.blob(0))
      }
      decode(Place(run: run, "status")) { () throws(CodecError) in
        guard RunStatus(rawValue: UInt8(clamping: row.integer(1))) != nil else {
          throw .unexpected("status", expected: "1 to 4", found: "\(row.integer(1))")
        }
      }
    }
    guard isThere != nil else { return false }
    try verifyModel()
    var producers: [(key: Int64, id: ProducerID, logRows: Int64)] = []
    try db.rows("SELECT key, id, log_rows FROM producers WHERE run = ?", .integer(key)) { row in
      producers.append((row.integer(0), ProducerID(stored: row.text(1)), row.integer(2)))
      return true
    }
    for producer in producers {
      try verifySnapshot(of: producer.key, producer.id)
      try verifySegments(of: producer.key, producer.id)
      try verifyRollups(of: producer.key, producer.id)
      let found = try verifyLog(of: producer.key, producer.id)
      if found != producer.logRows {
        tell(
          Place(run: run, producer: producer.id, "log"),
          "rows: expected \(producer.logRows), found \(found)"
        )
      }
    }
    return true
  }

  private func verifyModel() throws {
    let place = Place(run: run, "model")
    try tellTorn(place) {
      let model: Void? = try db.firstRow(Database.modelBody, .integer(key)) { row in
        decode(place) { () throws(CodecError) in _ = try ModelCodec.read(row.blob(0)) }
      }
      if model == nil { tell(place, CodecError.lost.detail) }
    }
  }

  private func verifySnapshot(of producer: Int64, _ id: ProducerID) throws {
    _ = try db.firstRow("SELECT state FROM snapshots WHERE producer = ?", .integer(producer)) {
      row in
      decode(Place(run: run, producer: id, "detector snapshot")) { () throws(CodecError) in
        _ = try SnapshotCodec.read(row.blob(0))
      }
    }
  }

  /// Verifies the reports that are not sealed; returns how many there are.
  private func verifyLog(of producer: Int64, _ id: ProducerID) throws -> Int64 {
    let sequences = try db.logSequences(of: producer, after: 0)
    var last: UInt64?
    for sequence in sequences {
      let before = verifier.result.damages
      try tellTorn(Place(run: run, producer: id, "report \(sequence)")) {
        try verifyReport(sequence, of: producer, id, after: &last)
      }
      verifier.result.reports.add(isSound: verifier.result.damages == before)
    }
    return Int64(sequences.count)
  }

  private func verifyReport(
    _ sequence: UInt64,
    of producer: Int64,
    _ id: ProducerID,
    after last: inout UInt64?
  ) throws {
    try db.rows(
      "SELECT step, body, histograms FROM log WHERE producer = ? AND sequence = ?",
      .integer(producer),
      .number(sequence)
    ) { row in
      let step = row.number(0)
      let place = Place(run: run, producer: id, "report \(sequence) of step \(step)")
      let body = attempt { () throws(CodecError) in
        let report = try LogRowCodec.read(body: row.blob(1), histograms: nil)
        guard report.sequence == sequence, report.step == step else {
          throw .unexpected(
            "report",
            expected: "\(sequence) of step \(step)",
            found: "\(report.sequence) of step \(report.step)"
          )
        }
        if let last, step <= last {
          throw .unexpected("step", expected: "one above \(last)", found: "\(step)")
        }
      }
      let histograms =
        row.isNull(2)
        ? nil : attempt { () throws(CodecError) in _ = try LogHistograms(row.blob(2)) }
      if let body {
        tell(place, body, saved: row.isNull(2) || histograms != nil ? "" : "histograms")
      }
      if let histograms {
        tell(place.adding("histograms"), histograms, saved: body == nil ? "all else" : "")
      }
      last = step
      return true
    }
  }

  private func verifySegments(of producer: Int64, _ id: ProducerID) throws {
    var last: UInt64?
    let contents = try db.tableExists("rollup_scalars") ? "contents" : "NULL"
    try db.rows(
      """
      SELECT id, first_step, last_step, first_sequence, last_sequence, count, rows, axis, \(contents)
      FROM segments WHERE producer = ? ORDER BY last_step
      """,
      .integer(producer)
    ) { row in
      let segment = SegmentVerifier.Segment(row)
      let before = verifier.result.damages
      let place = Place(run: run, producer: id)
      if let last, segment.firstStep <= last {
        let found = "\(segment.firstStep)"
        tell(place.adding(segment.words), "first step: expected one above \(last), found \(found)")
      }
      last = segment.lastStep
      try SegmentVerifier(verifier, db, run: key, place: place, segment).verify(
        axis: row.blob(7),
        contents: row.blob(8)
      )
      let isSound = verifier.result.damages == before
      verifier.result.segments.add(isSound: isSound)
      // A damaged number is told above; it would count what is not there.
      let count = Swift.min(Swift.max(segment.count, 0), RowSet.maximumRows)
      verifier.result.reports.add(UInt64(count), isSound: isSound)
      return true
    }
  }

  /// Verifies what was summed up, if the file is of a version that does; nothing is lost with it.
  private func verifyRollups(of producer: Int64, _ id: ProducerID) throws {
    guard try db.tableExists("rollups") else { return }
    // Both are of one version.
    let hasScalars = try db.tableExists("rollup_scalars")
    let contents = hasScalars ? "contents" : "NULL"
    let inflater = Inflater()
    var rollups: [(id: Int64, rows: Int, place: Place)] = []
    var last: (level: Int64, step: UInt64)?
    try db.rows(
      """
      SELECT id, rows, first_step, last_step, axis, \(contents), level FROM rollups
      WHERE producer = ? ORDER BY level, last_step
      """,
      .integer(producer)
    ) { row in
      let rows = Int(clamping: row.integer(1))
      let place = Place(
        run: run,
        producer: id,
        "rollup of steps \(row.number(2))...\(row.number(3))"
      )
      decode(place.adding("axis")) { () throws(CodecError) in
        let axis = try SegmentCodec.readAxis(row.blob(4))
        guard axis.steps.count == rows, (1...RowSet.maximumRows).contains(rows) else {
          throw .unexpected("points", expected: "\(rows)", found: "\(axis.steps.count)")
        }
        let level = row.integer(6)
        guard (1...Int64(RollupPlan.maximumLevel)).contains(level) else {
          let expected = "1 to \(RollupPlan.maximumLevel)"
          throw .unexpected("level", expected: expected, found: "\(level)")
        }
        guard axis.steps.first == row.number(2), axis.sequences.last == row.number(3) else {
          let found = "\(axis.steps.first ?? 0)...\(axis.sequences.last ?? 0)"
          throw .unexpected("steps", expected: "\(row.number(2))...\(row.number(3))", found: found)
        }
        if let last, last.level == level, last.step >= row.number(2) {
          throw .unexpected(
            "first step",
            expected: "one above \(last.step)",
            found: "\(row.number(2))"
          )
        }
        last = (level, row.number(3))
      }
      try verifier.verify(
        row.blob(5),
        of: row.integer(0),
        ("rollup_chunks", "rollup_histograms"),
        place.adding("contents"),
        run: key,
        in: db
      )
      rollups.append((row.integer(0), rows, place))
      return true
    }
    for rollup in rollups {
      // An empty one stands for something damaged below, which is told there.
      try db.chunks("rollup_chunks", of: rollup.id, 0..<ChunkKey.span) { _, bytes in
        guard !bytes.isEmpty else { return }
        decode(rollup.place) { () throws(CodecError) in
          _ = try RollupChunkCodec.readAll(rows: rollup.rows, from: bytes, inflater)
        }
      }
      try db.chunks("rollup_histograms", of: rollup.id, 0..<ChunkKey.span) { _, bytes in
        guard !bytes.isEmpty else { return }
        decode(rollup.place.adding("histograms")) { () throws(CodecError) in
          _ = try RollupHistogramCodec.read(bytes, inflater)
        }
      }
      guard hasScalars else { continue }
      try db.firstRow(
        "SELECT body FROM rollup_scalars WHERE rollup = ?",
        .integer(rollup.id)
      ) { row in
        guard !row.blob(0).isEmpty else { return }
        decode(rollup.place.adding("scalars")) { () throws(CodecError) in
          _ = try RollupScalarsCodec.read(row.blob(0), rows: rollup.rows, inflater)
        }
      }
    }
  }

  private func tell(_ place: Place, _ detail: String, saved: String = "") {
    verifier.tell(StoredDamage(place: "\(place)", detail: detail, saved: saved), run: key)
  }

  /// Reads rows, and tells if their page is torn.
  private func tellTorn(_ place: Place, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch let error as DatabaseError where error.resultCode == .SQLITE_CORRUPT {
      tell(place, Place.tornPage)
    }
  }

  private func decode(_ place: Place, _ body: () throws(CodecError) -> Void) {
    _ = verifier.decode(place, run: key, body)
  }

  /// What is wrong with stored bytes; `nil` if nothing.
  private func attempt(_ body: () throws(CodecError) -> Void) -> String? {
    do throws(CodecError) {
      try body()
      return nil
    } catch {
      return error.detail
    }
  }
}
