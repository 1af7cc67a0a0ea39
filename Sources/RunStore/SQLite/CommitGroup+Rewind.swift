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
    try unmake(alertsFrom: step, of: name)
    try discard(from: step, of: state.key)
    // One at most is left that reaches the step: it began before.
    var cut: (segment: Int64, axis: SegmentCodec.Axis?)?
    try db.rows(
      "SELECT id, axis FROM segments WHERE producer = ? AND last_step >= ? ORDER BY last_step",
      .integer(state.key),
      .number(step)
    ) { row in
      cut = (row.integer(0), try? SegmentCodec.readAxis(row.blob(1)))
      return true
    }
    guard let cut else { return }
    if let axis = cut.axis {
      try truncate(cut.segment, axis, before: step)
    } else {
      // No reader can tell its rows' steps, and the run would end here.
      try db.run(
        "UPDATE segments SET producer = ? WHERE id = ?",
        .integer(try producerOfDropped()),
        .integer(cut.segment)
      )
    }
  }

  /// Says of the resolved alerts that began at `step` or above that it never happened; the others' detector resolves them itself.
  ///
  /// A detector remembers alerts only for a while after they are resolved, and a producer may go back further.
  private mutating func unmake(alertsFrom step: UInt64, of name: ProducerName) throws {
    var rewound: [(key: Int64, alert: Alert)] = []
    try db.rows(
      "SELECT key, body FROM alerts WHERE run = ? AND producer = ? AND first_step >= ? AND state = ?",
      .integer(try run(name.run).key),
      .text(name.producer.rawValue),
      .number(step),
      .integer(Int64(AlertState.resolved.rawValue))
    ) { row in
      // One that is damaged is named by whoever reads it.
      if let alert = try? AlertCodec.read(row.blob(1)) { rewound.append((row.integer(0), alert)) }
      return true
    }
    for (key, var alert) in rewound {
      alert.evidence.facts["resolution"] = Alert.rewound
      body.removeAll()
      AlertCodec.write(alert, to: &body, deflater)
      try db.run("UPDATE alerts SET body = ? WHERE key = ?", .blob(body.bytes), .integer(key))
    }
  }

  /// Takes the segments that begin at `step` or above from a producer, and every rollup that sums up such a step; what is left is
  /// rolled up again with what follows.
  ///
  /// A gigabyte may hang on them, and all commits wait for this one: they go to a producer that no reader finds, whose run is to be
  /// deleted (``DeletionSlice/dropped``). Until they are, their numbers are taken, and with them the keys of their chunks.
  private func discard(from step: UInt64, of producer: Int64) throws {
    let levels = (1...RollupPlan.maximumLevel).map { "\($0)" }.joined(separator: ", ")
    for (table, condition) in [
      ("segments", "producer = ?1 AND last_step >= ?2 AND first_step >= ?2"),
      ("rollups", "producer = ?1 AND level IN (\(levels)) AND last_step >= ?2"),
    ] {
      let isAny: Void? = try db.firstRow(
        "SELECT 1 FROM \(table) WHERE \(condition) LIMIT 1",
        .integer(producer),
        .number(step)
      ) { _ in }
      guard isAny != nil else { continue }
      try db.run(
        "UPDATE \(table) SET producer = ?3 WHERE \(condition)",
        .integer(producer),
        .number(step),
        .integer(try producerOfDropped())
      )
    }
  }

  /// The key of the producer to which dropped segments and rollups go; it is made if there is none.
  private func producerOfDropped() throws -> Int64 {
    let run = SQLValue.integer(DeletionSlice.dropped)
    try db.run(
      "INSERT INTO deletions(run, id) VALUES (?, '') ON CONFLICT(run) DO UPDATE SET is_empty = 0",
      run
    )
    let known = try db.firstRow("SELECT key FROM producers WHERE run = ?", run) { $0.integer(0) }
    if let known { return known }
    try db.run("INSERT INTO producers(run, id) VALUES (?, '')", run)
    return db.lastInsertedRowID
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
}
