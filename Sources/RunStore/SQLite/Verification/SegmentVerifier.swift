import GRDB
import Telemetry

/// Reads everything of one segment back: its axis, its scalars, and every chunk.
struct SegmentVerifier {
  /// A segment's row, without its axis.
  struct Segment {
    let id: Int64
    let firstStep: UInt64
    let lastStep: UInt64
    let firstSequence: UInt64
    let lastSequence: UInt64
    /// The number of rows that were not rewound.
    let count: Int
    /// The number of rows of its chunks.
    let rows: Int

    init(_ row: SQLRow) {
      id = row.integer(0)
      firstStep = row.number(1)
      lastStep = row.number(2)
      firstSequence = row.number(3)
      lastSequence = row.number(4)
      count = Int(clamping: row.integer(5))
      rows = Int(clamping: row.integer(6))
    }

    /// For errors.
    var words: String { "steps \(firstStep)...\(lastStep)" }
  }

  private let verifier: StoreVerifier
  private let db: Database
  private let run: Int64
  private let place: Place
  private let segment: Segment
  private let inflater = Inflater()

  /// Takes a segment, and where it stands.
  init(_ verifier: StoreVerifier, _ db: Database, run: Int64, place: Place, _ segment: Segment) {
    self.verifier = verifier
    self.db = db
    self.run = run
    self.place = place
    self.segment = segment
  }

  /// Verifies all of it; the contents are empty if an earlier version wrote it.
  func verify(axis: UnsafeRawBufferPointer, contents: UnsafeRawBufferPointer) throws {
    let steps = verifyAxis(axis)
    try verifyScalars(steps)
    try verifyChunks()
    try verifyHistograms()
    let place = place.adding("contents of \(segment.words)")
    try verifier.verify(contents, of: segment.id, ("chunks", "histograms"), place, run: run, in: db)
  }

  /// Verifies the axis, and returns its steps if it is sound.
  private func verifyAxis(_ bytes: UnsafeRawBufferPointer) -> [UInt64]? {
    verifier.decode(place.adding("axis of \(segment.words)"), run: run) { () throws(CodecError) in
      let axis = try SegmentCodec.readAxis(bytes)
      guard axis.steps.count == segment.rows, segment.count >= 1, segment.count <= segment.rows
      else {
        throw .unexpected(
          "rows",
          expected: "\(segment.rows), of which \(segment.count) count",
          found: "\(axis.steps.count)"
        )
      }
      let last = segment.count - 1
      for (name, expected, found) in [
        ("first step", segment.firstStep, axis.steps[0]),
        ("last step", segment.lastStep, axis.steps[last]),
        ("first report", segment.firstSequence, axis.sequences[0]),
        ("last report", segment.lastSequence, axis.sequences[last]),
      ] where expected != found {
        throw .unexpected(name, expected: "\(expected)", found: "\(found)")
      }
      return axis.steps
    }
  }

  private func verifyScalars(_ steps: [UInt64]?) throws {
    let place = place.adding("scalars of \(segment.words)")
    let isThere: Void? = try db.firstRow(
      "SELECT body, time_step_norms FROM segment_scalars WHERE segment = ?",
      .integer(segment.id)
    ) { row in
      _ = verifier.decode(place, run: run) { () throws(CodecError) in
        let rows = try SegmentCodec.readRows(row.blob(0), inflater)
        try expectRows(rows.count)
        if let steps, let wrong = zip(rows, steps).first(where: { $0.scalars.step != $1 }) {
          throw .unexpected("step", expected: "\(wrong.1)", found: "\(wrong.0.scalars.step)")
        }
      }
      guard !row.isNull(1) else { return }
      let profiles = self.place.adding("norms through time of \(segment.words)")
      _ = verifier.decode(profiles, run: run) { () throws(CodecError) in
        try expectRows(try SegmentCodec.readTimeStepNorms(row.blob(1), inflater).count)
      }
    }
    if isThere == nil {
      verifier.tell(StoredDamage(place: "\(place)", detail: CodecError.lost.detail), run: run)
    }
  }

  private func verifyChunks() throws {
    try rows(of: "chunks") { subject, index, bytes in
      do throws(CodecError) {
        _ = try ChunkCodec.readAll(rows: segment.rows, from: bytes, inflater)
      } catch {
        // Each column has a checksum of its own.
        let saved = Metric.allCases.filter { metric in
          guard metric.subject == subject else { return false }
          let column = try? ChunkCodec.read(metric, rows: segment.rows, from: bytes, inflater)
          return column.flatMap(\.self) != nil
        }
        tell(subject, index, error, saved: saved.map { "\($0)" }.joined(separator: ", "))
      }
    }
  }

  private func verifyHistograms() throws {
    try rows(of: "histograms") { subject, index, bytes in
      do throws(CodecError) {
        let entries = try HistogramChunkCodec.read(bytes, inflater)
        if let last = entries.map(\.row).max(), last >= segment.rows {
          throw .unexpected("histograms", expected: "rows below \(segment.rows)", found: "\(last)")
        }
      } catch {
        let error = CodecError("histograms: \(error.detail)")
        tell(subject, index, error)
      }
    }
  }

  private func rows(
    of table: String,
    _ body: (Metric.Subject, UInt32, UnsafeRawBufferPointer) -> Void
  ) throws {
    try db.chunks(table, of: segment.id, 0..<ChunkKey.span) { offset, bytes in
      let (subject, index) = ChunkKey.subject(at: offset)
      body(subject, index, bytes)
    }
  }

  private func tell(
    _ subject: Metric.Subject,
    _ index: UInt32,
    _ error: CodecError,
    saved: String = ""
  ) {
    let name = Place.name(of: subject, index, run: run, in: db)
    let place = place.adding(name).adding(segment.words)
    verifier.tell(StoredDamage(place: "\(place)", detail: error.detail, saved: saved), run: run)
  }

  private func expectRows(_ found: Int) throws(CodecError) {
    guard found == segment.rows else {
      throw .unexpected("rows", expected: "\(segment.rows)", found: "\(found)")
    }
  }
}
