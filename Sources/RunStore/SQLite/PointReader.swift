import GRDB
import Telemetry

/// Reads one metric of some tensors or layers in step order, from the coarsest level that is fine enough.
struct PointReader {
  typealias Body = (_ index: UInt32, SeriesPart) -> Bool

  private struct Segment {
    let id: Int64
    let range: ClosedRange<UInt64>
    /// The rows that count.
    let count: Int
    /// The step of every row.
    let axis: [UInt64]
    /// The bytes of what it should have.
    let contents: [UInt8]
  }

  private let reader: TelemetryReader
  private let metric: Metric
  private let maximumSpan: UInt64
  private let statistics: SeriesPoints.Statistics
  private var indices: [UInt32]

  init(_ reader: TelemetryReader, _ selection: PointSelection) {
    self.reader = reader
    metric = selection.metric
    maximumSpan = selection.maximumSpan
    statistics = selection.statistics
    // Chunks lie in this order; a model may number tensors otherwise than by their layers.
    indices = selection.indices.sorted()
  }

  /// Calls `body` with all parts; returns whether it never returned false.
  func read(_ body: Body) throws -> Bool {
    try read(RollupPieces(of: reader.steps, reader, maximumSpan: maximumSpan), body)
  }

  private func read(_ all: RollupPieces, _ body: Body) throws -> Bool {
    try all.forEach(
      rollup: { try read($0, $1, of: all, body) },
      measurements: { try readMeasurements($0, body) }
    )
  }

  /// Gives some points of a rollup; of a chunk that is damaged what the level below has.
  private func read(
    _ rollup: RollupPieces.Rollup,
    _ rows: ClosedRange<Int>,
    of all: RollupPieces,
    _ body: Body
  ) throws -> Bool {
    var damaged: [UInt32] = []
    let goesOn = try chunks("rollup_chunks", of: rollup.id) { index in
      let offset = ChunkKey.offset(metric.subject, index)
      if rollup.contents?.chunks.contains(offset) ?? false { damaged.append(index) }
    } _: { index, bytes in
      do throws(CodecError) {
        let found = try RollupChunkCodec.read(
          metric,
          statistics,
          rows: rollup.firsts.count,
          from: bytes,
          reader.inflater
        )
        guard let found else { return true }
        let points = SeriesPoints(found, rollup, rows)
        return points.steps.isEmpty || body(index, .points(points))
      } catch {
        damaged.append(index)
        return true
      }
    }
    guard goesOn, !damaged.isEmpty else { return goesOn }
    var rest = self
    rest.indices = damaged
    return try rest.read(all.below(rollup, rows), body)
  }

  private func readMeasurements(_ steps: ClosedRange<UInt64>, _ body: Body) throws -> Bool {
    var segments: [Segment] = []
    try reader.db.rows(
      """
      SELECT first_step, last_step, count, rows, axis, NULL, id, contents FROM segments
      WHERE producer = ? AND last_step >= ? ORDER BY last_step
      """,
      .integer(reader.keys.producer),
      .number(steps.lowerBound)
    ) { row in
      let segment = TelemetryReader.Segment(row)
      guard segment.range.lowerBound <= steps.upperBound else { return false }
      let axis = try reader.axis(of: segment)
      segments.append(
        Segment(
          id: row.integer(6),
          range: segment.range,
          count: segment.count,
          axis: axis,
          contents: Array(row.blob(7))
        )
      )
      return true
    }
    for segment in segments {
      let goesOn = try chunks("chunks", of: segment.id) { index in
        let offset = ChunkKey.offset(metric.subject, index)
        try segment.contents.withUnsafeBytes {
          try reader.checkIsNotLost(offset, \.chunks, in: segment.range, $0)
        }
      } _: { index, bytes in
        let slice = try reader.decode(metric.subject, index, segment.range) {
          () throws(CodecError) in
          try ChunkCodec.stored(metric, rows: segment.axis.count, in: bytes, reader.inflater)
            .map { SeriesSlice($0, of: metric, segment.axis, first: segment.count, in: steps) }
        }
        guard let slice else { return true }
        return slice.steps.isEmpty || body(index, .measurements(slice))
      }
      guard goesOn else { return false }
    }
    return try readLog(steps, body)
  }

  private func readLog(_ steps: ClosedRange<UInt64>, _ body: Body) throws -> Bool {
    var slices = Array(repeating: SeriesSlice(), count: indices.count)
    var rows = 0
    func flush() -> Bool {
      defer {
        slices = Array(repeating: SeriesSlice(), count: indices.count)
        rows = 0
      }
      return zip(indices, slices).allSatisfy { $1.steps.isEmpty || body($0, .measurements($1)) }
    }
    var goesOn = true
    var map: IndexMap?
    try reader.log("body", steps) { step, bytes in
      let row = try reader.decode("report of step \(step)") { () throws(CodecError) in
        try LogRow(bytes)
      }
      if let column = row.column(of: metric) {
        // Nearly all rows name the same ones.
        let named = row.indices(of: metric.group)
        if named != map?.indices { map = named.map(IndexMap.init) }
        for (place, index) in indices.enumerated() {
          let position = map == nil ? Int(index) : map?.position(of: Int(index))
          guard let position, position < column.count else { continue }
          slices[place].steps.append(step)
          slices[place].values.append(metric.number(column.bits(at: position)))
        }
      }
      rows += 1
      if rows == RowSet.maximumRows { goesOn = flush() }
      return goesOn
    }
    return goesOn && flush()
  }

  /// Calls `body` with the chunks of the chosen tensors or layers of a segment or rollup, and `missing` with those that have none.
  private func chunks(
    _ table: String,
    of span: Int64,
    missing: (UInt32) throws -> Void,
    _ body: (UInt32, UnsafeRawBufferPointer) throws -> Bool
  ) throws -> Bool {
    guard let lowest = indices.first, let highest = indices.last else { return true }
    let first = ChunkKey.first(of: span) + ChunkKey.offset(metric.subject, 0)
    var goesOn = true
    // Many chunks are one walk through the table; of few each is looked up.
    guard indices.count > Int(highest - lowest) / 4 else {
      for index in indices where goesOn {
        var isThere = false
        try reader.db.rows(
          "SELECT body FROM \(table) WHERE key = ?",
          .integer(first + Int64(index))
        ) { row in
          isThere = true
          goesOn = try body(index, row.blob(0))
          return goesOn
        }
        if !isThere { try missing(index) }
      }
      return goesOn
    }
    var position = 0
    try reader.db.rows(
      "SELECT key, body FROM \(table) WHERE key BETWEEN ? AND ? ORDER BY key",
      .integer(first + Int64(lowest)),
      .integer(first + Int64(highest))
    ) { row in
      let index = UInt32(truncatingIfNeeded: row.integer(0) - first)
      while position < indices.count, indices[position] < index {
        try missing(indices[position])
        position += 1
      }
      guard position < indices.count, indices[position] == index else { return true }
      position += 1
      goesOn = try body(index, row.blob(1))
      return goesOn
    }
    if goesOn { for index in indices[position...] { try missing(index) } }
    return goesOn
  }
}

extension SeriesPoints {
  /// Some points of a rollup.
  fileprivate init(
    _ found: RollupChunkCodec.Points,
    _ rollup: RollupPieces.Rollup,
    _ rows: ClosedRange<Int>
  ) {
    self = found.values
    let all = rollup.firsts.count
    guard found.rows != RowSet(first: all) || rows != 0...all - 1 else {
      steps = rollup.firsts
      lastSteps = rollup.lasts
      return
    }
    let chosen = rows.filter(found.rows.contains)
    steps = chosen.map { rollup.firsts[$0] }
    lastSteps = chosen.map { rollup.lasts[$0] }
    let before = (0..<rows.lowerBound).count(where: found.rows.contains)
    keep(before..<before + chosen.count)
  }

  /// Drops all values but those of some points.
  private mutating func keep(_ places: Range<Int>) {
    func kept<Value>(_ values: [Value]) -> [Value] { values.isEmpty ? [] : Array(values[places]) }
    min = kept(min)
    max = kept(max)
    mean = kept(mean)
    last = kept(last)
    count = kept(count)
    nonFiniteCount = kept(nonFiniteCount)
  }
}
