import GRDB
import Telemetry

extension SQLiteRunStore {
  /// Sums up what the steps have as a whole; returns what is wrong with it if some of it is damaged, and what is written is empty.
  func rollUpScalars(
    _ plan: RollupPlan,
    _ place: Place,
    _ inflater: Inflater,
    _ deflater: Deflater
  ) throws(RunStoreError) -> RunStoreError? {
    var damage: RunStoreError?
    var writer = ByteWriter()
    try read("read scalars to roll up of \(place)") { db in
      var sum = RollupScalarsAccumulator()
      var rowsBefore = 0
      for source in plan.sources {
        let isWhole = try db.firstRow(plan.scalars, .integer(source.id)) { row in
          do throws(CodecError) {
            try sum.add(row.blob(0), of: source, level: plan.level, after: rowsBefore, inflater)
            return true
          } catch {
            damage = plan.damage(row.blob(0), of: source, place.adding("scalars"), error)
            return false
          }
        }
        // A segment has lost it; a rollup of an earlier version never had it.
        if isWhole == nil, plan.level == 1 {
          damage = plan.damage(of: source, place.adding("scalars"), .lost)
        }
        guard isWhole ?? false, !sum.isFull else { return }
        rowsBefore += source.count
      }
      RollupScalarsCodec.write(sum.finish(), rows: plan.pointCount, to: &writer, deflater)
    }
    let bytes = writer.bytes
    try writeUnsynced("roll up scalars of \(place)") { db in
      try db.run(
        "INSERT INTO rollup_scalars(rollup, body) VALUES (?, ?)",
        .integer(plan.id),
        .blob(bytes)
      )
    }
    return damage
  }
}

extension RollupScalarsAccumulator {
  /// Adds what a segment, or a rollup of the level below, has.
  fileprivate mutating func add(
    _ bytes: UnsafeRawBufferPointer,
    of source: RollupPlan.Source,
    level: Int,
    after rowsBefore: Int,
    _ inflater: Inflater
  ) throws(CodecError) {
    if level == 1 {
      let rows = try SegmentCodec.readRows(bytes, count: source.rows, inflater)
      for (row, found) in rows.prefix(source.count).enumerated() {
        add(found.scalars, row: rowsBefore + row)
      }
    } else {
      for series in try RollupScalarsCodec.read(bytes, rows: source.rows, inflater) {
        add(series, rows: source.rows, after: rowsBefore)
      }
    }
  }
}
