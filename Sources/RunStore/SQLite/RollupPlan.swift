import GRDB
import Telemetry

/// A rollup to be, and what it is made of: consecutive segments, or rollups of the level below.
struct RollupPlan {
  /// A segment, or a rollup of the level below.
  struct Source {
    var id: Int64
    var firstStep: UInt64
    var lastStep: UInt64
    /// The rows that count.
    var count: Int
    /// The rows of its chunks.
    var rows: Int
    /// The step of every row; of a rollup, of each point the first and, as sequence numbers, the last one.
    var axis: SegmentCodec.Axis
    /// What it should have; `nil`: nobody knows.
    var contents: SegmentContents?

    /// The offsets of a window at which it should have something, but for those where it was found.
    func lost(
      _ kept: KeyPath<SegmentContents, SegmentContents.Offsets>,
      in window: Range<Int64>,
      besides found: Set<Int64>
    ) -> [Int64] {
      guard let kept = contents?[keyPath: kept] else { return [] }
      return window.filter { kept.contains($0) && !found.contains($0) }
    }
  }

  /// The coarsest level: a point of it sums up 16^3 = 4,096 reports.
  static let maximumLevel = 3
  /// The most rows that go into one.
  static let capacity = RollupAccumulator.factor * RowSet.maximumRows

  let id: Int64
  let level: Int
  let producer: Int64
  let sources: [Source]
  /// The number of tensors and layers of the model.
  let subjects: [(subject: Metric.Subject, count: Int)]

  /// The table of the sources' chunks, and of their histograms.
  var tables: (chunks: String, histograms: String) {
    level == 1 ? ("chunks", "histograms") : ("rollup_chunks", "rollup_histograms")
  }
  /// The query for a source's scalars by its number.
  var scalars: String {
    level == 1
      ? "SELECT body FROM segment_scalars WHERE segment = ?"
      : "SELECT body FROM rollup_scalars WHERE rollup = ?"
  }
  /// The number of rows that are summed up.
  var rowCount: Int { sources.reduce(0) { $0 + $1.count } }
  /// The number of points.
  var pointCount: Int { (rowCount + RollupAccumulator.factor - 1) / RollupAccumulator.factor }

  /// The next rollup of the lowest level that has one to make; `nil` if none has.
  static func next(
    _ producer: Int64,
    of place: Place,
    in db: Database
  ) throws -> RollupPlan? {
    for level in 1...maximumLevel {
      if let plan = try RollupPlan(producer, of: place, level: level, in: db) { return plan }
    }
    return nil
  }

  /// The next rollup of a level, if the level below has enough rows for one.
  ///
  /// - Throws: ``RunStoreError/damaged(place:detail:)`` if an axis can't be read, and the errors of the database.
  init?(_ producer: Int64, of place: Place, level: Int, in db: Database) throws {
    let end = try db.firstRow(
      "SELECT max(last_step) FROM rollups WHERE producer = ? AND level = ?",
      .integer(producer),
      .integer(Int64(level))
    ) { $0.isNull(0) ? -1 : $0.integer(0) }
    var sources: [Source] = []
    var rowCount = 0
    var isComplete = false
    try db.rows(
      Self.query(level),
      .integer(producer),
      .integer(end ?? -1),
      .integer(Int64(level - 1))
    ) { row in
      let count = Int(clamping: row.integer(3))
      let axis = try place.adding("axis of steps \(row.number(1))...\(row.number(2))").decode {
        () throws(CodecError) in
        let axis = try SegmentCodec.readAxis(row.blob(5))
        guard (1...axis.steps.count).contains(count) else {
          throw .unexpected("rows", expected: "1 to \(axis.steps.count)", found: "\(count)")
        }
        return axis
      }
      let source = Source(
        id: row.integer(0),
        firstStep: row.number(1),
        lastStep: row.number(2),
        count: count,
        rows: Int(clamping: row.integer(4)),
        axis: axis,
        contents: try? SegmentContents.read(row.blob(6))
      )
      // What is missing here would be missing in what is made of it, where nobody looks for it any more.
      if level > 1, let last = sources.last,
        try Self.hasSegment(of: producer, between: last, source, in: db)
      {
        isComplete = true
        return false
      }
      // One that does not fit any more says that no later one can.
      isComplete = rowCount + source.count >= Self.capacity
      guard rowCount + source.count <= Self.capacity else { return false }
      rowCount += source.count
      sources.append(source)
      return !isComplete
    }
    guard isComplete, !sources.isEmpty else { return nil }
    id = try db.firstRow("SELECT coalesce(max(id), 0) + 1 FROM rollups") { $0.integer(0) } ?? 1
    self.level = level
    self.producer = producer
    self.sources = sources
    subjects =
      try db.firstRow(
        """
        SELECT r.tensor_count, r.layer_count FROM producers p JOIN runs r ON r.key = p.run
        WHERE p.key = ?
        """,
        .integer(producer)
      ) { [(.tensor, Int(clamping: $0.integer(0))), (.layer, Int(clamping: $0.integer(1)))] } ?? []
  }

  /// The keys of the producers that may have something to roll up.
  ///
  /// Those with enough segments, or rollups of a level, behind what was rolled up. Only indexes are read, and no more of them than
  /// it takes.
  static func producersToSearch(in db: Database) throws -> Set<Int64> {
    // As none has more rows than a rollup has points.
    let others = RollupAccumulator.factor - 1
    let levels = (1...maximumLevel).map { level in
      let sources =
        level == 1 ? "segments WHERE" : "rollups WHERE level = \(level - 1) AND"
      return """
        EXISTS (
          SELECT 1 FROM \(sources) producer = p.key AND last_step > coalesce(
            (SELECT max(last_step) FROM rollups WHERE producer = p.key AND level = \(level)), -1)
          LIMIT 1 OFFSET \(others)
        )
        """
    }
    let sql = """
      SELECT p.key FROM producers p JOIN runs r ON r.key = p.run
      WHERE \(levels.joined(separator: " OR "))
      """
    var found: Set<Int64> = []
    try db.rows(sql) { row in
      found.insert(row.integer(0))
      return true
    }
    return found
  }

  /// Whether there are reports between two rollups.
  private static func hasSegment(
    of producer: Int64,
    between one: Source,
    _ next: Source,
    in db: Database
  ) throws -> Bool {
    let isAny: Void? = try db.firstRow(
      "SELECT 1 FROM segments WHERE producer = ? AND last_step > ? AND first_step < ? ORDER BY last_step LIMIT 1",
      .integer(producer),
      .number(one.lastStep),
      .number(next.firstStep)
    ) { _ in }
    return isAny != nil
  }

  /// Whether the sources are what they were when this was planned: no rewind came in between.
  func isCurrent(in db: Database) throws -> Bool {
    guard let first = sources.first, let last = sources.last else { return false }
    let rows = try db.firstRow(
      level == 1
        ? """
        SELECT total(count) FROM segments
        WHERE producer = ?1 AND last_step BETWEEN ?2 AND ?3 AND ?4 = 0
        """
        : """
        SELECT total(rows) FROM rollups
        WHERE producer = ?1 AND level = ?4 AND last_step BETWEEN ?2 AND ?3
        """,
      .integer(producer),
      .number(first.lastStep),
      .number(last.lastStep),
      .integer(Int64(level - 1))
    ) { Int($0.real(0)) }
    return rows == rowCount
  }

  /// The error of a chunk of a source that can't be read; `nil` if it is empty because of one below, which was told then.
  func damage(
    _ chunk: UnsafeRawBufferPointer,
    of source: Source,
    _ place: Place,
    _ error: CodecError
  ) -> RunStoreError? {
    level == 1 || !chunk.isEmpty ? damage(of: source, place, error) : nil
  }

  /// The error of something of a source that can't be read, or is lost.
  func damage(of source: Source, _ place: Place, _ error: CodecError) -> RunStoreError {
    let steps = "steps \(source.firstStep)...\(source.lastStep)"
    return .damaged(place: "\(place.adding(steps))", detail: error.detail)
  }

  /// The first and, as sequence numbers, the last step of every point.
  var axis: SegmentCodec.Axis {
    let firsts = sources.flatMap { $0.axis.steps.prefix($0.count) }
    let lasts = sources.flatMap { source in
      (level == 1 ? source.axis.steps : source.axis.sequences).prefix(source.count)
    }
    let starts = stride(from: 0, to: firsts.count, by: RollupAccumulator.factor)
    return SegmentCodec.Axis(
      steps: starts.map { firsts[$0] },
      sequences: starts.map { lasts[Swift.min($0 + RollupAccumulator.factor, lasts.count) - 1] }
    )
  }

  private static func query(_ level: Int) -> String {
    // All have three parameters, so that they are bound alike.
    level == 1
      ? """
      SELECT id, first_step, last_step, count, rows, axis, contents FROM segments
      WHERE producer = ?1 AND last_step > ?2 AND ?3 = 0 ORDER BY last_step
      """
      : """
      SELECT id, first_step, last_step, rows, rows, axis, contents FROM rollups
      WHERE producer = ?1 AND last_step > ?2 AND level = ?3 ORDER BY last_step
      """
  }
}
