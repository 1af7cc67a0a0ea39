import GRDB
import Telemetry

/// Reads everything in a file back, and counts what is sound.
///
/// Damage of a blob is told and passed over; damage of the database's pages ends what was being read (a
/// run, say), and the rest is looked at all the same.
final class StoreVerifier {
  /// The file.
  let queue: DatabaseQueue
  /// What was looked at so far.
  var result = StoreVerification()

  private let path: String
  private let found: (StoredDamage) -> Void
  /// The keys of runs of which something is damaged.
  private var damagedRuns: Set<Int64> = []

  /// The most lines of SQLite's own check.
  private static let maximumPageErrors = 100

  /// Takes an open file, and what to call with each damage.
  init(_ queue: DatabaseQueue, path: String, _ found: @escaping (StoredDamage) -> Void) {
    self.queue = queue
    self.path = path
    self.found = found
  }

  /// Verifies pages, runs, alerts and what people set.
  func verifyAll() throws {
    guard try queue.read({ try $0.tableExists("runs") }) else {
      throw RunStoreError.cannotOpen(path: path, detail: "expected runs, found an empty database")
    }
    try guarding("database \(path)") { try verifyPages() }
    var runs: [(key: Int64, id: RunID)] = []
    try guarding("list of runs") {
      try queue.read { db in
        try db.rows("SELECT key, id FROM runs ORDER BY key") { row in
          runs.append((row.integer(0), RunID(stored: row.text(1))))
          return true
        }
      }
    }
    var seen: Set<Int64> = []
    for run in runs {
      // A collector may delete it meanwhile.
      var isThere = true
      try guarding("run \(run.id)", run: run.key) {
        isThere = try queue.read { db in
          try RunVerifier(self, db, run: run.id, key: run.key).verify()
        }
      }
      if isThere { seen.insert(run.key) }
    }
    try guarding("alerts") { try verifyAlerts() }
    try guarding("settings") { try verifySettings() }
    try guarding("keys") { try verifyOwners() }
    result.runs.all = UInt64(seen.count)
    result.runs.sound = UInt64(seen.subtracting(damagedRuns).count)
  }

  /// Takes a damage down.
  func tell(_ damage: StoredDamage, run: Int64?) {
    result.damages += 1
    if let run { damagedRuns.insert(run) }
    found(damage)
  }

  /// Decodes stored bytes; `nil`, and told, if they can't be.
  func decode<Value>(
    _ place: Place,
    run: Int64?,
    _ body: () throws(CodecError) -> Value
  ) -> Value? {
    do throws(CodecError) {
      return try body()
    } catch {
      tell(StoredDamage(place: "\(place)", detail: error.detail), run: run)
      return nil
    }
  }

  /// Runs a part of the work; what SQLite can't read ends that part only.
  private func guarding(_ place: String, run: Int64? = nil, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch let error as DatabaseError where error.resultCode == .SQLITE_CORRUPT {
      tell(StoredDamage(place: place, detail: error.message ?? "pages of the database"), run: run)
    }
  }

  /// SQLite's own look at its pages: that every one is used once, and rows are in order.
  private func verifyPages() throws {
    let lines = try queue.read { db in
      try String.fetchAll(db, sql: "PRAGMA quick_check(\(Self.maximumPageErrors))")
    }
    for line in lines where line != "ok" {
      let text = line.split(whereSeparator: \.isNewline).joined(separator: " ")
      tell(StoredDamage(place: "database \(path)", detail: text), run: nil)
    }
  }

  private func verifyAlerts() throws {
    try queue.read { db in
      try db.rows(
        "SELECT a.id, a.body, r.key, r.id FROM alerts a JOIN runs r ON r.key = a.run ORDER BY a.key"
      ) { row in
        let id = row.text(0)
        let place = Place(run: RunID(stored: row.text(3)), "alert \(id)")
        let alert = decode(place, run: row.integer(2)) { () throws(CodecError) in
          let alert = try AlertCodec.read(row.blob(1))
          guard alert.id.rawValue == id else {
            throw .unexpected("identifier", expected: id, found: alert.id.rawValue)
          }
          return alert
        }
        result.alerts.add(isSound: alert != nil)
        return true
      }
      try db.rows(
        """
        SELECT t.cursor, t.body, r.key, r.id FROM alert_transitions t JOIN runs r ON r.key = t.run
        ORDER BY t.cursor
        """
      ) { row in
        let place = Place(run: RunID(stored: row.text(3)), "alert transition \(row.integer(0))")
        _ = decode(place, run: row.integer(2)) { () throws(CodecError) in
          try AlertCodec.readTransition(row.blob(1))
        }
        return true
      }
    }
  }

  /// Verifies that a segment or rollup has the chunks that it should have.
  ///
  /// - Parameters:
  ///   - contents: What it should have; empty: nobody knows.
  ///   - span: Its number.
  ///   - tables: Where its chunks and its histograms are.
  ///   - place: For errors.
  ///   - run: The key of its run.
  ///   - db: The database.
  /// - Throws: The errors of the database.
  func verify(
    _ contents: UnsafeRawBufferPointer,
    of span: Int64,
    _ tables: (chunks: String, histograms: String),
    _ place: Place,
    run: Int64,
    in db: Database
  ) throws {
    guard !contents.isEmpty else { return }
    let expected = decode(place, run: run) { () throws(CodecError) in
      try SegmentContents.read(contents)
    }
    guard let expected else { return }
    let first = ChunkKey.first(of: span)
    for (table, kept) in [
      (tables.chunks, expected.chunks), (tables.histograms, expected.histograms),
    ] {
      var found: [Int64] = []
      try db.rows(
        "SELECT key FROM \(table) WHERE key >= ? AND key < ?",
        .integer(first),
        .integer(first &+ ChunkKey.span)
      ) { row in
        found.append(row.integer(0) - first)
        return true
      }
      guard kept != .init(found) else { continue }
      let detail = "\(table): expected \(kept.count), found \(found.count), or others"
      tell(StoredDamage(place: "\(place)", detail: detail), run: run)
    }
  }

  /// What people wrote; files of version 1 have none of it.
  private func verifySettings() throws {
    try queue.read { db in
      guard try db.tableExists("rule_sets") else { return }
      try db.rows("SELECT name, body FROM rule_sets") { row in
        _ = decode(Place("rules of \(row.text(0))"), run: nil) { () throws(CodecError) in
          try RuleSetText.read(row.text(1))
        }
        return true
      }
      try db.rows("SELECT id, body FROM silences") { row in
        _ = decode(Place("silence \(row.text(0))"), run: nil) { () throws(CodecError) in
          try SilenceText.read(row.text(1))
        }
        return true
      }
    }
  }

  /// Rows that belong to nothing, as a lost page of a parent leaves them.
  private func verifyOwners() throws {
    try queue.read { db in
      let deleted =
        try db.tableExists("deletions") ? " AND run NOT IN (SELECT run FROM deletions)" : ""
      let ofRun = "run NOT IN (SELECT key FROM runs)" + deleted
      let ofProducer = "producer NOT IN (SELECT key FROM producers)"
      // Those beyond the last segment or rollup are of one that is being written, or that a crash left unfinished.
      func ofSpan(_ table: String) -> String {
        "key / \(ChunkKey.span) NOT IN (SELECT id FROM \(table)) AND key / \(ChunkKey.span) <= (SELECT max(id) FROM \(table))"
      }
      let (ofSegment, ofRollup) = (ofSpan("segments"), ofSpan("rollups"))
      for (table, condition) in [
        ("models", ofRun.replacing("run NOT", with: "abs(run) NOT")), ("producers", ofRun),
        ("alerts", ofRun), ("alert_transitions", ofRun),
        ("annotations", ofRun), ("snapshots", ofProducer), ("log", ofProducer),
        ("segments", ofProducer), ("segment_scalars", "segment NOT IN (SELECT id FROM segments)"),
        ("chunks", ofSegment), ("histograms", ofSegment), ("rollups", ofProducer),
        ("rollup_chunks", ofRollup), ("rollup_histograms", ofRollup),
        (
          "rollup_scalars",
          "rollup NOT IN (SELECT id FROM rollups) AND rollup <= (SELECT max(id) FROM rollups)"
        ),
      ] where try db.tableExists(table) {
        let count = try db.number("SELECT count(*) FROM \(table) WHERE \(condition)")
        guard count > 0 else { continue }
        let detail = "\(count) rows: expected what they belong to, found nothing"
        tell(StoredDamage(place: "table \(table)", detail: detail), run: nil)
      }
    }
  }
}
