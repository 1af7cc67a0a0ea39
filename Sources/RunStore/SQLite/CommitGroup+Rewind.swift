import GRDB
import Telemetry

extension CommitGroup {
  /// Drops a producer's points at `step` and above, in the log and in segments.
  ///
  /// A segment that has steps on both sides keeps its chunks: it only says that fewer of their rows
  /// count. What the detector's snapshot covers does not change: it was taken after those reports.
  mutating func drop(from step: UInt64, of name: ProducerName, _ state: inout ProducerState) throws
  {
    try db.run(
      "DELETE FROM log WHERE producer = ? AND step >= ?",
      .integer(state.key),
      .number(step)
    )
    if db.changesCount > 0 {
      let counts = try db.firstRow(
        "SELECT count(*), count(*) FILTER (WHERE sequence <= ?) FROM log WHERE producer = ?",
        .number(state.coveredSequence),
        .integer(state.key)
      ) { ($0.integer(0), $0.integer(1)) }
      (state.logRows, state.coveredRows) = counts ?? (0, 0)
    }
    try db.run(
      "DELETE FROM annotations WHERE producer = ? AND step >= ?",
      .integer(state.key),
      .number(step)
    )
    var whole: [Int64] = []
    var cut: (segment: Int64, axis: SegmentCodec.Axis)?
    try db.rows(
      """
      SELECT id, first_step, last_step, axis FROM segments
      WHERE producer = ? AND last_step >= ? ORDER BY last_step
      """,
      .integer(state.key),
      .number(step)
    ) { row in
      guard row.number(1) < step else {
        whole.append(row.integer(0))
        return true
      }
      let place = Place(
        run: name.run,
        producer: name.producer,
        "axis of steps \(row.number(1))...\(row.number(2))"
      )
      let axis = try place.decode { () throws(CodecError) in
        try SegmentCodec.readAxis(row.blob(3))
      }
      cut = (row.integer(0), axis)
      return true
    }
    if let cut { try truncate(cut.segment, cut.axis, before: step) }
    for segment in whole { try remove(segment) }
    try dropRollups(from: step, of: state.key)
  }

  /// Drops every rollup that sums up a step that is dropped; what is left is rolled up again with what follows.
  private func dropRollups(from step: UInt64, of producer: Int64) throws {
    var rollups: [Int64] = []
    for level in 1...RollupPlan.maximumLevel {
      try db.rows(
        "SELECT id FROM rollups WHERE producer = ? AND level = ? AND last_step >= ?",
        .integer(producer),
        .integer(Int64(level)),
        .number(step)
      ) { row in
        rollups.append(row.integer(0))
        return true
      }
    }
    for rollup in rollups {
      try db.removeRollupChunks(of: rollup)
      try db.run("DELETE FROM rollups WHERE id = ?", .integer(rollup))
    }
  }

  private func truncate(_ segment: Int64, _ axis: SegmentCodec.Axis, before step: UInt64) throws {
    let count = axis.steps.prefix { $0 < step }.count
    // The first step is below `step`, so at least one row is left.
    let last = Swift.max(count, 1) - 1
    try db.run(
      "UPDATE segments SET count = ?, last_step = ?, last_sequence = ? WHERE id = ?",
      .integer(Int64(last + 1)),
      .number(axis.steps[last]),
      .number(axis.sequences[last]),
      .integer(segment)
    )
  }

  private func remove(_ segment: Int64) throws {
    let first = ChunkKey.first(of: segment)
    for table in ["chunks", "histograms"] {
      try db.run(
        "DELETE FROM \(table) WHERE key >= ? AND key < ?",
        .integer(first),
        .integer(first + ChunkKey.span)
      )
    }
    try db.run("DELETE FROM segment_scalars WHERE segment = ?", .integer(segment))
    try db.run("DELETE FROM segments WHERE id = ?", .integer(segment))
  }
}
