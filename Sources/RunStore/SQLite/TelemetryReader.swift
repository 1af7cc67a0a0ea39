import GRDB
import Telemetry

/// Reads one producer's telemetry in step order: segments first, then the log after them.
///
/// Both are read in one transaction, so that a segment that is sealed meanwhile is seen as a whole
/// or not at all, and a step neither twice nor never.
struct TelemetryReader {
  let db: Database
  let run: RunID
  let producer: ProducerID
  let keys: ProducerKeys
  let steps: ClosedRange<UInt64>
  let inflater = Inflater()

  /// Starts reading in a transaction that has begun.
  init(
    _ db: Database,
    run: RunID,
    producer: ProducerID,
    steps: ClosedRange<UInt64>
  ) throws {
    self.db = db
    self.run = run
    self.producer = producer
    self.steps = steps
    keys = try db.keys(of: run, producer)
  }

  /// A segment and the blob beside it that was asked for.
  struct Segment {
    /// Where it stands, for errors.
    let range: ClosedRange<UInt64>
    /// The number of rows that were not rewound.
    let count: Int
    /// The number of rows of its chunks.
    let rows: Int
    let axis: UnsafeRawBufferPointer
    let body: UnsafeRawBufferPointer

    /// A row of first and last step, both counts, the axis and the blob beside it, which may be NULL.
    init(_ row: SQLRow) {
      let first = row.number(0)
      range = first...Swift.max(first, row.number(1))
      rows = Int(Swift.min(Swift.max(row.integer(3), 0), Int64(RowSet.maximumRows)))
      count = Int(Swift.min(Swift.max(row.integer(2), 0), Int64(rows)))
      axis = row.blob(4)
      body = row.blob(5)
    }
  }

  /// Calls `body` with the segments that hold any of the steps, in order, until it returns false.
  ///
  /// `table` has the blob beside a segment, `key` finds it by `s.id` and one number, `offset`. A
  /// segment without one is passed over, unless `kept` of its contents, or without `kept` every segment, should have it: then it is
  /// damaged. `steps` are all of the reader's unless given. Returns whether `body` never returned false.
  func segments(
    with table: String,
    key: String,
    offset: Int64 = 0,
    _ steps: ClosedRange<UInt64>? = nil,
    kept: KeyPath<SegmentContents, SegmentContents.Offsets>?,
    _ body: (Segment) throws -> Bool
  ) throws -> Bool {
    let steps = steps ?? self.steps
    var goesOn = true
    // LEFT JOIN: segments first, in the order of their index, and one look-up for each.
    try db.rows(
      """
      SELECT s.first_step, s.last_step, s.count, s.rows, s.axis, c.body, s.contents
      FROM segments s LEFT JOIN \(table) c ON \(key)
      WHERE s.producer = ? AND s.last_step >= ? ORDER BY s.last_step
      """,
      .integer(offset),
      .integer(keys.producer),
      .number(steps.lowerBound)
    ) { row in
      guard row.number(0) <= steps.upperBound else { return false }
      let segment = Segment(row)
      guard !row.isNull(5) else {
        guard let kept else {
          throw lost("scalars of \(text(segment.range))")
        }
        try checkIsNotLost(offset, kept, in: segment.range, row.blob(6))
        return true
      }
      goesOn = try body(segment)
      return goesOn
    }
    return goesOn
  }

  /// Calls `body` with the log rows that hold any of the steps, in order, until it returns false.
  ///
  /// `column` is the blob that is asked for; rows without it are passed over.
  ///
  /// - Parameters:
  ///   - column: The column.
  ///   - steps: Which of the reader's steps; `nil`: all.
  ///   - body: Called with a row's step and blob.
  /// - Throws: What `body` throws, and the errors of the database.
  func log(
    _ column: String,
    _ steps: ClosedRange<UInt64>? = nil,
    _ body: (_ step: UInt64, UnsafeRawBufferPointer) throws -> Bool
  ) throws {
    let steps = steps ?? self.steps
    var last: UInt64?
    try db.rows(
      """
      SELECT step, \(column) FROM log
      WHERE producer = ? AND step BETWEEN ? AND ? ORDER BY sequence
      """,
      .integer(keys.producer),
      .number(steps.lowerBound),
      .number(steps.upperBound)
    ) { row in
      let step = row.number(0)
      if let last, step <= last {
        let found = CodecError.unexpected("step", expected: "one above \(last)", found: "\(step)")
        throw RunStoreError.damaged(place: "\(place("log"))", detail: found.detail)
      }
      last = step
      return try row.isNull(1) || body(step, row.blob(1))
    }
  }

  /// Calls `body` with what some steps have as a whole, up to 256 at a time, in order, until it returns false.
  ///
  /// - Parameters:
  ///   - steps: Which of the reader's steps; `nil`: all.
  ///   - body: Called with one step at least; those of a segment come together.
  /// - Returns: Whether `body` never returned false.
  /// - Throws: ``RunStoreError/damaged(place:detail:)``, and the errors of the database.
  func scalars(
    _ steps: ClosedRange<UInt64>? = nil,
    _ body: ([StepScalars]) throws -> Bool
  ) throws -> Bool {
    let steps = steps ?? self.steps
    let goesOn = try segments(
      with: "segment_scalars",
      key: "c.segment = s.id + ?",
      steps,
      kept: nil
    ) { segment in
      let rows = try decode("scalars of \(text(segment.range))") { () throws(CodecError) in
        try SegmentCodec.readRows(segment.body, count: segment.rows, inflater)
      }
      let found = rows.prefix(segment.count).lazy.map(\.scalars).filter { steps.contains($0.step) }
      return try found.isEmpty || body(Array(found))
    }
    guard goesOn else { return false }
    var found: [StepScalars] = []
    var wanted = true
    try log("body", steps) { step, bytes in
      found.append(
        try decode("report of step \(step)") { () throws(CodecError) in
          let scalars = try LogRow(bytes).scalars()
          // It was chosen by the column.
          guard scalars.step == step else {
            throw .unexpected("step", expected: "\(step)", found: "\(scalars.step)")
          }
          return scalars
        }
      )
      guard found.count == RowSet.maximumRows else { return true }
      wanted = try body(found)
      found.removeAll(keepingCapacity: true)
      return wanted
    }
    return try wanted && (found.isEmpty || body(found))
  }

  /// Throws if a chunk that was not found should be there.
  ///
  /// - Parameters:
  ///   - offset: What is added to the segment's first key.
  ///   - kept: Chunks, or histograms.
  ///   - range: The segment's steps.
  ///   - contents: What the segment should have; empty if an earlier version wrote it, and nobody knows.
  /// - Throws: ``RunStoreError/damaged(place:detail:)`` naming the tensor or layer.
  func checkIsNotLost(
    _ offset: Int64,
    _ kept: KeyPath<SegmentContents, SegmentContents.Offsets>,
    in range: ClosedRange<UInt64>,
    _ contents: UnsafeRawBufferPointer
  ) throws(RunStoreError) {
    guard !contents.isEmpty else { return }
    let all = try decode("contents of \(text(range))") { () throws(CodecError) in
      try SegmentContents.read(contents)
    }
    guard all[keyPath: kept].contains(offset) else { return }
    let (subject, index) = ChunkKey.subject(at: offset)
    throw lost(Place.name(of: subject, index, run: keys.run, in: db), text(range))
  }

  /// The error of a row that should be there.
  func lost(_ what: String...) -> RunStoreError {
    let place = what.dropFirst().reduce(place(what.first ?? "")) { $0.adding($1) }
    return .damaged(place: "\(place)", detail: CodecError.lost.detail)
  }

  /// The steps of a segment's rows.
  func axis(of segment: Segment) throws(RunStoreError) -> [UInt64] {
    try decode("axis of \(text(segment.range))") { () throws(CodecError) in
      let steps = try SegmentCodec.readSteps(segment.axis)
      guard steps.count == segment.rows else {
        throw .unexpected("rows", expected: "\(segment.rows)", found: "\(steps.count)")
      }
      return steps
    }
  }

  /// Decodes something of this producer, naming it if it is damaged.
  ///
  /// The words are made only then: a timeline decodes hundreds of blobs.
  func decode<Value>(
    _ what: @autoclosure () -> String,
    _ body: () throws(CodecError) -> Value
  ) throws(RunStoreError) -> Value {
    do {
      return try body()
    } catch {
      throw .damaged(place: "\(place(what()))", detail: error.detail)
    }
  }

  /// Decodes a tensor's or layer's blob of a segment, naming it if it is damaged.
  func decode<Value>(
    _ subject: Metric.Subject,
    _ index: UInt32,
    _ range: ClosedRange<UInt64>,
    _ body: () throws(CodecError) -> Value
  ) throws(RunStoreError) -> Value {
    do {
      return try body()
    } catch {
      let name = Place.name(of: subject, index, run: keys.run, in: db)
      throw .damaged(
        place: "\(place(name).adding(text(range)))",
        detail: error.detail
      )
    }
  }

  /// A place of this producer.
  func place(_ what: String) -> Place { Place(run: run, producer: producer, what) }

  /// Steps, for an error.
  func text(_ range: ClosedRange<UInt64>) -> String {
    "steps \(range.lowerBound)...\(range.upperBound)"
  }
}
