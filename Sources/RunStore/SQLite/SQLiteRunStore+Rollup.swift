import GRDB
import Telemetry

extension SQLiteRunStore {
  /// The tensors or layers that are rolled up at a time; 64 of 64 buckets take some 15 MB.
  private static let window = 64

  /// Makes one rollup of a producer for which something is due; returns whether there was one to make.
  ///
  /// A crash or a full disk between a segment and its rollup leaves it missing, and a file of before there were rollups has none: no
  /// segment need ever follow that would lead to it. So the file is searched once, and after that memory knows.
  func rollUpDue(_ state: inout SealingState) throws(RunStoreError) -> Bool {
    if state.rollupsDue == nil {
      state.rollupsDue = try read("look for missing rollups") { db in
        try RollupPlan.producersToSearch(in: db)
      }
    }
    while let producer = state.rollupsDue?.first {
      let place = try read("look for a producer") { db in
        try db.firstRow(
          "SELECT r.id, p.id FROM producers p JOIN runs r ON r.key = p.run WHERE p.key = ?",
          .integer(producer)
        ) { Place(run: RunID(stored: $0.text(0)), producer: ProducerID(stored: $0.text(1))) }
      }
      // Its run may have been deleted.
      guard let place else {
        state.rollupsDue?.remove(producer)
        continue
      }
      if try rollUp(producer, of: place, &state) { return true }
      state.rollupsDue?.remove(producer)
    }
    return false
  }

  /// Makes the next rollup of a producer, of the lowest level that has one to make; returns whether there was one.
  ///
  /// - Throws: ``RunStoreError/damaged(place:detail:)`` if a chunk is damaged, after the rollup was made all the same: readers find
  ///   the damage at the level below. If it can't be made, it throws that once, and leaves the producer alone until the file is
  ///   opened again.
  func rollUp(
    _ producer: Int64,
    of place: Place,
    _ state: inout SealingState
  ) throws(RunStoreError) -> Bool {
    guard !state.withoutRollups.contains(producer) else { return false }
    let (isMade, damage): (Bool, RunStoreError?)
    do throws(RunStoreError) {
      let plan = try read("look for what to roll up") { db in
        try RollupPlan.next(producer, of: place, in: db)
      }
      guard let plan else { return false }
      (isMade, damage) = try make(plan, place, state.inflater, state.deflater)
    } catch {
      // What is damaged can't be summed up, but what follows can be sealed.
      if case .damaged = error { state.withoutRollups.insert(producer) }
      throw error
    }
    if let damage { throw damage }
    return isMade
  }

  /// Makes a rollup; returns whether it is there, and what is wrong with a chunk that is damaged, if one is.
  ///
  /// It is written some tensors at a time, so that no commit waits long, and becomes visible with the last transaction, if no
  /// rewind has changed what it was made of. What a crash leaves of one is removed when the next one is begun.
  private func make(
    _ plan: RollupPlan,
    _ place: Place,
    _ inflater: Inflater,
    _ deflater: Deflater
  ) throws(RunStoreError) -> (isMade: Bool, damage: RunStoreError?) {
    try writeUnsynced("begin a rollup of \(place)") { db in try db.removeRollupChunks(of: plan.id) }
    var damage: RunStoreError?
    var contents = (chunks: [Int64](), histograms: [Int64]())
    for (subject, count) in plan.subjects {
      let first = ChunkKey.offset(subject, 0)
      for start in stride(from: first, to: first + Int64(count), by: Self.window) {
        let window = start..<Swift.min(start + Int64(Self.window), first + Int64(count))
        let found = try rollUp(plan, window, place, &contents, inflater, deflater)
        damage = damage ?? found
      }
    }
    let found = try rollUpScalars(plan, place, inflater, deflater)
    damage = damage ?? found
    return (try finish(plan, place, contents), damage)
  }

  /// Sums up some tensors or layers, and adds their offsets to the contents; returns what is wrong with a chunk that is damaged.
  ///
  /// What such a chunk is part of gets an empty one, which no reader can read, and so reads the level below.
  private func rollUp(
    _ plan: RollupPlan,
    _ window: Range<Int64>,
    _ place: Place,
    _ contents: inout (chunks: [Int64], histograms: [Int64]),
    _ inflater: Inflater,
    _ deflater: Deflater
  ) throws(RunStoreError) -> RunStoreError? {
    var damages: [(table: String, offset: Int64, error: RunStoreError?)] = []
    let (points, histograms) = try read("read what to roll up of \(place)") { db in
      (
        try Self.points(of: plan, window, place, inflater, in: db) {
          damages.append(("rollup_chunks", $0, $1))
        },
        try Self.histograms(of: plan, window, place, inflater, in: db) {
          damages.append(("rollup_histograms", $0, $1))
        }
      )
    }
    let first = ChunkKey.first(of: plan.id)
    var writer = ByteWriter()
    var blobs: [(table: String, key: Int64, range: Range<Int>)] = []
    for (offset, series) in points {
      let start = writer.count
      RollupChunkCodec.write(series, rows: plan.pointCount, to: &writer, deflater)
      blobs.append(("rollup_chunks", first + offset, start..<writer.count))
    }
    for (offset, entries) in histograms {
      let start = writer.count
      RollupHistogramCodec.write(entries, to: &writer, deflater)
      blobs.append(("rollup_histograms", first + offset, start..<writer.count))
    }
    blobs += damages.map { ($0.table, first + $0.offset, 0..<0) }
    for blob in blobs {
      if blob.table == "rollup_chunks" {
        contents.chunks.append(blob.key - first)
      } else {
        contents.histograms.append(blob.key - first)
      }
    }
    guard !blobs.isEmpty else { return nil }
    let bytes = writer.bytes
    try writeUnsynced("roll up \(place)") { db in
      for blob in blobs {
        try db.run(
          "INSERT INTO \(blob.table)(key, body) VALUES (?, ?)",
          .integer(blob.key),
          .blob(UnsafeRawBufferPointer(rebasing: bytes[blob.range]))
        )
      }
    }
    return damages.lazy.compactMap(\.error).first
  }

  /// Makes a rollup visible whose chunks are written; returns false if a rewind has changed what it was made of.
  private func finish(
    _ plan: RollupPlan,
    _ place: Place,
    _ offsets: (chunks: [Int64], histograms: [Int64])
  ) throws(RunStoreError) -> Bool {
    let axis = plan.axis
    guard let first = axis.steps.first, let last = axis.sequences.last else { return false }
    var writer = ByteWriter()
    SegmentCodec.write(axis, to: &writer)
    let axisSize = writer.count
    SegmentContents(chunks: offsets.chunks, histograms: offsets.histograms).write(to: &writer)
    let bytes = writer.bytes
    return try write("finish a rollup of \(place)") { db in
      guard try plan.isCurrent(in: db) else {
        try db.removeRollupChunks(of: plan.id)
        return false
      }
      try db.run(
        """
        INSERT INTO rollups(id, producer, level, first_step, last_step, rows, axis, contents)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """,
        .integer(plan.id),
        .integer(plan.producer),
        .integer(Int64(plan.level)),
        .number(first),
        .number(last),
        .integer(Int64(plan.pointCount)),
        .blob(UnsafeRawBufferPointer(rebasing: bytes[..<axisSize])),
        .blob(UnsafeRawBufferPointer(rebasing: bytes[axisSize...]))
      )
      return true
    }
  }

  private static func points(
    of plan: RollupPlan,
    _ window: Range<Int64>,
    _ place: Place,
    _ inflater: Inflater,
    in db: Database,
    _ damaged: (_ offset: Int64, RunStoreError?) -> Void
  ) throws -> [(Int64, [RollupChunkCodec.Series])] {
    let empty = RollupAccumulator(pointCount: plan.pointCount)
    return try sums(
      of: plan,
      plan.tables.chunks,
      \.chunks,
      window,
      place,
      from: empty,
      in: db,
      damaged
    ) {
      (sum, bytes, source, rowsBefore) throws(CodecError) in
      if plan.level == 1 {
        for column in try ChunkCodec.readAll(rows: source.rows, from: bytes, inflater) {
          sum.add(column, first: source.count, after: rowsBefore)
        }
      } else {
        for series in try RollupChunkCodec.readAll(rows: source.rows, from: bytes, inflater) {
          sum.add(series, rows: source.rows, after: rowsBefore)
        }
      }
      return true
    }
    .compactMap { offset, sum in
      let series = sum.finish()
      return series.isEmpty ? nil : (offset, series)
    }
  }

  private static func histograms(
    of plan: RollupPlan,
    _ window: Range<Int64>,
    _ place: Place,
    _ inflater: Inflater,
    in db: Database,
    _ damaged: (_ offset: Int64, RunStoreError?) -> Void
  ) throws -> [(Int64, [RollupHistogramCodec.Entry])] {
    try sums(
      of: plan,
      plan.tables.histograms,
      \.histograms,
      window,
      place,
      from: MergedHistograms(),
      in: db,
      damaged
    ) {
      (sum, bytes, source, rowsBefore) throws(CodecError) in
      if plan.level == 1 {
        try sum.addMeasurements(in: bytes, of: source, after: rowsBefore, inflater)
      } else {
        for entry in try RollupHistogramCodec.read(bytes, inflater) where entry.row < source.count {
          sum.add(entry.point, row: (rowsBefore + entry.row) / RollupAccumulator.factor)
        }
      }
      return !sum.isTooMany
    }
    .compactMap { $1.entries.isEmpty ? nil : ($0, $1.entries) }
  }

  /// Adds up what a table has of some offsets in all sources of a plan; each offset and its sum, in order.
  ///
  /// `kept` is what each source should have in the table, `empty` the sum of nothing. An offset of which something can't be read, or is
  /// lost, or that `add` returns false for, has no sum; `damaged` is told of it once.
  private static func sums<Sum>(
    of plan: RollupPlan,
    _ table: String,
    _ kept: KeyPath<SegmentContents, SegmentContents.Offsets>,
    _ window: Range<Int64>,
    _ place: Place,
    from empty: Sum,
    in db: Database,
    _ damaged: (_ offset: Int64, RunStoreError?) -> Void,
    add: (
      inout Sum, UnsafeRawBufferPointer, RollupPlan.Source, _ rowsBefore: Int
    ) throws(CodecError) -> Bool
  ) throws -> [(Int64, Sum)] {
    var sums: [Int64: Sum] = [:]
    var unreadable: Set<Int64> = []
    var rowsBefore = 0
    for source in plan.sources {
      var found: Set<Int64> = []
      try db.chunks(table, of: source.id, window) { offset, bytes in
        found.insert(offset)
        guard !unreadable.contains(offset) else { return }
        do throws(CodecError) {
          guard try !add(&sums[offset, default: empty], bytes, source, rowsBefore) else { return }
          sums[offset] = nil
          unreadable.insert(offset)
          damaged(offset, nil)
        } catch {
          sums[offset] = nil
          unreadable.insert(offset)
          damaged(offset, plan.damage(bytes, of: source, place, error))
        }
      }
      for offset in source.lost(kept, in: window, besides: found)
      where unreadable.insert(offset).inserted {
        sums[offset] = nil
        damaged(offset, plan.damage(of: source, place, .lost))
      }
      rowsBefore += source.count
    }
    return sums.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }
}

extension Database {
  /// Removes the chunks of a segment or rollup.
  func removeChunks(of span: Int64, from tables: [String]) throws {
    for table in tables {
      try run(
        "DELETE FROM \(table) WHERE key >= ? AND key < ?",
        .integer(ChunkKey.first(of: span)),
        .integer(ChunkKey.first(of: span) &+ ChunkKey.span)
      )
    }
  }

  /// Removes the chunks and scalars of a rollup.
  func removeRollupChunks(of rollup: Int64) throws {
    try removeChunks(of: rollup, from: ["rollup_chunks", "rollup_histograms"])
    try run("DELETE FROM rollup_scalars WHERE rollup = ?", .integer(rollup))
  }

  /// Calls `body` with the chunks of a segment or rollup at some offsets, in order.
  func chunks(
    _ table: String,
    of segment: Int64,
    _ window: Range<Int64>,
    _ body: (_ offset: Int64, UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let first = ChunkKey.first(of: segment)
    try rows(
      "SELECT key, body FROM \(table) WHERE key >= ? AND key < ? ORDER BY key",
      .integer(first &+ window.lowerBound),
      .integer(first &+ window.upperBound)
    ) { row in
      try body(row.integer(0) - first, row.blob(1))
      return true
    }
  }
}
