import GRDB
import Synchronization
public import Telemetry

extension SQLiteRunStore {
  /// Seals the oldest reports of one producer that a snapshot covers into one segment.
  ///
  /// The log is read and transposed beside the writer, in a read transaction; only the finished
  /// segment is written inside one, some chunks at a time, so that commits wait neither for a
  /// transposition nor for the disk to take all of it. The transactions that make it visible, some rows
  /// at a time, come last. A rewind that came in between voids the rows that are not visible yet; the next call starts over.
  /// With nothing to seal it makes a rollup that is due.
  ///
  /// A producer whose log is damaged throws ``RunStoreError/damaged(place:detail:)`` once, and is
  /// then left alone until the file is opened again: the others must go on. Where the disk refuses what the write-ahead log has for
  /// the file, which no commit hears of, this throws it, and seals with the next call.
  public func sealNext(silentBefore time: WallTime?) throws(RunStoreError) -> Bool {
    if let failure = checkpointer.takeFailure() {
      let operation = "move the write-ahead log into the file"
      throw RunStoreError(failure, operation: operation, path: path)
    }
    // One at a time: two would seal the same reports.
    return try sealing.withLock {
      (state: inout sending SealingState) throws(RunStoreError) -> Bool in
      var candidate: Int64?
      let sealed: Batch?
      do throws(RunStoreError) {
        sealed = try nextBatch(except: state.paused, silentBefore: time, to: &state.log, &candidate)
        if let sealed { try seal(sealed, &state) }
      } catch {
        if case .damaged = error, let candidate { state.paused.insert(candidate) }
        throw error
      }
      guard let batch = sealed else { return try rollUpDue(&state) }
      if try !rollUp(batch.producer, of: batch.place, &state) {
        state.rollupsDue?.remove(batch.producer)
      }
      return true
    }
  }

  /// The log rows of one segment to be.
  private struct Batch {
    var producer: Int64
    var place: Place
    var rows: [Transposition.Row] = []
  }

  private func seal(_ batch: Batch, _ state: inout SealingState) throws(RunStoreError) {
    state.segment.removeAll()
    let segment = try Transposition(
      batch.rows,
      in: state.log.bytes,
      of: batch.place,
      to: &state.segment,
      state.deflater
    )
    // Should what follows fail: the segment may be there, and this is all that would lead to its rollup.
    state.rollupsDue?.insert(batch.producer)
    try store(segment, state.segment.bytes, of: batch, state.log.count)
  }

  /// Copies the log rows of the next segment out of the database; `chosen` is told whose before that.
  private func nextBatch(
    except paused: Set<Int64>,
    silentBefore time: WallTime?,
    to log: inout ByteWriter,
    _ chosen: inout Int64?
  ) throws(RunStoreError) -> Batch? {
    log.removeAll()
    return try read("read the log to seal") { db in
      var candidate: (batch: Batch, covered: UInt64)?
      // The condition on covered_rows is that of the index `producers_to_seal`.
      try db.rows(
        """
        SELECT p.key, p.covered_sequence, p.id, r.id FROM producers p JOIN runs r ON r.key = p.run
        WHERE p.covered_rows > 0 AND (p.covered_rows >= ? OR r.status <> ?
          OR p.covered_rows = p.log_rows AND p.last_received_at < ?)
        ORDER BY p.covered_rows DESC
        """,
        .integer(Int64(RowSet.maximumRows)),
        .integer(Int64(RunStatus.running.rawValue)),
        time.map { .real($0.seconds) } ?? .null
      ) { row in
        guard !paused.contains(row.integer(0)) else { return true }
        let place = Place(
          run: RunID(stored: row.text(3)),
          producer: ProducerID(stored: row.text(2))
        )
        candidate = (Batch(producer: row.integer(0), place: place), row.number(1))
        return false
      }
      guard let (found, covered) = candidate else { return nil }
      var batch = found
      chosen = batch.producer
      try db.rows(
        """
        SELECT sequence, received_at, rewinds, body, histograms FROM log
        WHERE producer = ? AND sequence <= ? ORDER BY sequence LIMIT ?
        """,
        .integer(batch.producer),
        .number(covered),
        .integer(Int64(RowSet.maximumRows))
      ) { row in
        let body = log.append(range: row.blob(3))
        let histograms = log.append(range: row.blob(4))
        batch.rows.append(
          Transposition.Row(
            sequence: row.number(0),
            receivedAt: WallTime(clamping: row.real(1)),
            rewinds: row.integer(2) != 0,
            body: body,
            histograms: histograms
          )
        )
        return log.count < options.maximumSegmentBytes
      }
      return batch.rows.isEmpty ? nil : batch
    }
  }

  /// Writes the chunks of a segment some at a time, and then makes its rows visible, in place of `logBytes` of the log.
  private func store(
    _ segment: Transposition,
    _ bytes: UnsafeRawBufferPointer,
    of batch: Batch,
    _ logBytes: Int
  ) throws(RunStoreError) {
    let place = batch.place
    let id = try read("seal \(place)") { db in
      try db.number("SELECT coalesce(max(id), 0) + 1 FROM segments")
    }
    let tables = ["chunks", "histograms"]
    try writeUnsynced("seal \(place)") { db in
      try db.removeChunks(of: id, from: tables)
    }
    for (table, chunks) in zip(tables, [segment.chunks, segment.histograms]) {
      var rest = chunks[...]
      while !rest.isEmpty {
        try writeUnsynced("seal \(place)") { db in
          var size = 0
          while let chunk = rest.first, size < options.sealingSliceBytes {
            try db.run(
              "INSERT INTO \(table)(key, body) VALUES (?, ?)",
              .integer(ChunkKey.first(of: id) + chunk.offset),
              .blob(UnsafeRawBufferPointer(rebasing: bytes[chunk.range]))
            )
            size += chunk.range.count
            rest.removeFirst()
          }
        }
      }
    }
    let count = segment.axis.steps.count
    let slices = 1 + logBytes / (4 * options.sealingSliceBytes)
    let size = (count + slices - 1) / slices
    for start in stride(from: 0, to: count, by: size) {
      sealingProbe.withLock { $0 }?()
      let rows = start..<Swift.min(start + size, count)
      var isShown = false
      try writeUnsynced("seal \(place)") { db in
        isShown = try Self.show(rows, of: segment, bytes, as: id, of: batch.producer, in: db)
        if !isShown, start == 0 { try db.removeChunks(of: id, from: tables) }
      }
      guard isShown else { return }
    }
  }

  /// Makes some rows of a segment visible, whose chunks are written, in place of their reports in the log.
  ///
  /// Until the last ones are, it says that fewer of its rows count, as after a rewind.
  ///
  /// - Returns: False, and nothing was done, if a producer that went back meanwhile has dropped some of the reports: the next call
  ///   sees what is left.
  private static func show(
    _ rows: Range<Int>,
    of segment: Transposition,
    _ bytes: UnsafeRawBufferPointer,
    as id: Int64,
    of producer: Int64,
    in db: Database
  ) throws -> Bool {
    let (steps, sequences) = (segment.axis.steps[rows], segment.axis.sequences[rows])
    guard let firstStep = steps.first, let lastStep = steps.last,
      let firstSequence = sequences.first, let lastSequence = sequences.last
    else { return false }
    let left = try db.firstRow(
      "SELECT count(*) FROM log WHERE producer = ? AND sequence BETWEEN ? AND ?",
      .integer(producer),
      .number(firstSequence),
      .number(lastSequence)
    ) { Int($0.integer(0)) }
    guard left == rows.count else { return false }
    try db.run(
      "DELETE FROM log WHERE producer = ? AND sequence BETWEEN ? AND ?",
      .integer(producer),
      .number(firstSequence),
      .number(lastSequence)
    )
    try db.run(
      """
      UPDATE producers SET log_rows = log_rows - ?, covered_rows = covered_rows - ? WHERE key = ?
      """,
      .integer(Int64(rows.count)),
      .integer(Int64(rows.count)),
      .integer(producer)
    )
    guard rows.lowerBound == 0 else {
      try db.run(
        "UPDATE segments SET count = ?, last_step = ?, last_sequence = ? WHERE id = ?",
        .integer(Int64(rows.upperBound)),
        .number(lastStep),
        .number(lastSequence),
        .integer(id)
      )
      return true
    }
    func blob(_ range: Range<Int>) -> SQLValue {
      range.isEmpty ? .null : .blob(UnsafeRawBufferPointer(rebasing: bytes[range]))
    }
    var writer = ByteWriter()
    SegmentContents(
      chunks: segment.chunks.map(\.offset),
      histograms: segment.histograms.map(\.offset)
    )
    .write(to: &writer)
    try db.run(
      """
      INSERT INTO segments(id, producer, first_step, last_step, first_sequence, last_sequence, count,
        rows, axis, bytes, contents)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """,
      .integer(id),
      .integer(producer),
      .number(firstStep),
      .number(lastStep),
      .number(firstSequence),
      .number(lastSequence),
      .integer(Int64(rows.count)),
      .integer(Int64(segment.axis.steps.count)),
      blob(segment.axisRange),
      .integer(Int64(bytes.count)),
      .blob(writer.bytes)
    )
    try db.run(
      "INSERT INTO segment_scalars(segment, body, time_step_norms) VALUES (?, ?, ?)",
      .integer(id),
      blob(segment.scalars),
      blob(segment.timeStepNorms)
    )
    return true
  }
}

extension ByteWriter {
  /// Appends bytes, and returns where they stand.
  fileprivate mutating func append(range bytes: UnsafeRawBufferPointer) -> Range<Int> {
    let start = count
    append(bytes)
    return start..<count
  }
}
