import GRDB
public import Telemetry

extension SQLiteRunStore {
  /// Reads one metric of one tensor or layer in step order; no blob but those of this tensor or
  /// layer, and in the log those of the reports, is touched.
  public func readSeries(
    _ selection: SeriesSelection,
    _ body: (SeriesSlice) -> Bool
  ) throws(RunStoreError) {
    let metric = selection.metric
    let index = selection.index
    try read("read series of run \(selection.run)") { db in
      let reader = try TelemetryReader(
        db,
        run: selection.run,
        producer: selection.producer,
        steps: selection.steps
      )
      let goesOn = try reader.segments(
        with: "chunks",
        key: "c.key = s.id * \(ChunkKey.span) + ?",
        offset: ChunkKey.offset(metric.subject, index),
        kept: \.chunks
      ) { segment in
        let axis = try reader.axis(of: segment)
        let slice = try reader.decode(metric.subject, index, segment.range) {
          () throws(CodecError) in
          try ChunkCodec.stored(metric, rows: segment.rows, in: segment.body, reader.inflater)
            .map { SeriesSlice($0, of: metric, axis, first: segment.count, in: selection.steps) }
        }
        guard let slice else { return true }
        return slice.steps.isEmpty || body(slice)
      }
      guard goesOn else { return }
      var slice = SeriesSlice()
      var wanted = true
      try reader.log("body") { step, bytes in
        let bits = try reader.decode("report of step \(step)") { () throws(CodecError) in
          try LogRow(bytes).bits(of: metric, index: index)
        }
        guard let bits else { return true }
        slice.steps.append(step)
        slice.values.append(metric.number(bits))
        guard slice.steps.count == RowSet.maximumRows else { return true }
        wanted = body(slice)
        slice = SeriesSlice()
        return wanted
      }
      if wanted, !slice.steps.isEmpty { _ = body(slice) }
    }
  }

  /// Reads one metric of some tensors or layers in step order, where there are rollups from them.
  public func readPoints(
    _ selection: PointSelection,
    _ body: (_ index: UInt32, SeriesPart) -> Bool
  ) throws(RunStoreError) {
    try read("read points of run \(selection.run)") { db in
      let reader = try TelemetryReader(
        db,
        run: selection.run,
        producer: selection.producer,
        steps: selection.steps
      )
      _ = try PointReader(reader, selection).read(body)
    }
  }

  /// Reads some tensors' histograms, each one's in step order, where there are rollups from them; at a step with both forms the
  /// exponential one first.
  public func readHistograms(
    of run: RunID,
    producer: ProducerID,
    tensors: [UInt32],
    steps: ClosedRange<UInt64>,
    maximumSpan: UInt64,
    _ body: (_ tensor: UInt32, HistogramPoint) -> Bool
  ) throws(RunStoreError) {
    try read("read histograms of run \(run)") { db in
      let reader = try TelemetryReader(db, run: run, producer: producer, steps: steps)
      _ = try HistogramReader(reader, tensors: tensors, maximumSpan: maximumSpan).read(body)
    }
  }

  /// The number of steps that a producer has, from the rows of its segments and log alone.
  public func stepCount(of run: RunID, producer: ProducerID) throws(RunStoreError) -> UInt64 {
    try read("count steps of run \(run)") { db in
      let count = try db.firstRow(
        """
        SELECT (SELECT coalesce(sum(max(0, min(count, rows, \(RowSet.maximumRows)))), 0)
          FROM segments WHERE producer = ?1) + (SELECT count(*) FROM log WHERE producer = ?1)
        """,
        .integer(try db.keys(of: run, producer).producer)
      ) { $0.number(0) }
      return count ?? 0
    }
  }

  /// The first step that a producer has; `nil` if it has none, or what tells it is damaged.
  public func firstStep(of run: RunID, producer: ProducerID) throws(RunStoreError) -> UInt64? {
    try read("read the first step of run \(run)") { db in
      let key = try db.keys(of: run, producer).producer
      let axis = try db.firstRow(
        "SELECT axis FROM segments WHERE producer = ? ORDER BY last_step LIMIT 1",
        .integer(key)
      ) { row in Result { try SegmentCodec.readAxis(row.blob(0)) } }
      if let axis { return (try? axis.get())?.steps.first }
      return try db.firstRow(
        "SELECT step FROM log WHERE producer = ? ORDER BY sequence LIMIT 1",
        .integer(key)
      ) { $0.number(0) }
    }
  }

  /// Reads what a producer said of its steps as a whole, in step order.
  public func readScalars(
    of run: RunID,
    producer: ProducerID,
    steps: ClosedRange<UInt64>,
    _ body: (StepScalars) -> Bool
  ) throws(RunStoreError) {
    try read("read scalars of run \(run)") { db in
      let reader = try TelemetryReader(db, run: run, producer: producer, steps: steps)
      _ = try reader.scalars { $0.allSatisfy(body) }
    }
  }

  /// Reads one metric of the step as a whole in step order, where there are rollups from them.
  public func readStepSeries(
    _ selection: StepSeriesSelection,
    _ body: (StepSeriesPiece) -> Bool
  ) throws(RunStoreError) {
    try read("read \(selection.metric) of run \(selection.run)") { db in
      let reader = try TelemetryReader(
        db,
        run: selection.run,
        producer: selection.producer,
        steps: selection.steps
      )
      _ = try StepSeriesReader(reader, selection).read(body)
    }
  }
}

extension SeriesSlice {
  /// The points of a chunk's column at some steps.
  ///
  /// - Parameters:
  ///   - column: The column.
  ///   - metric: Its metric.
  ///   - axis: The steps of the segment's rows.
  ///   - count: How many of the rows count.
  ///   - range: The steps.
  init(
    _ column: StoredColumn,
    of metric: Metric,
    _ axis: [UInt64],
    first count: Int,
    in range: ClosedRange<UInt64>
  ) {
    let numbers = column.numbers(metric.isCount ? .integer : .float)
    let isWhole = count == axis.count && column.rows == RowSet(first: count)
    if isWhole, let first = axis.first, let last = axis.last, range.contains(first),
      range.contains(last)
    {
      self.init(steps: axis, values: numbers)
      return
    }
    self.init()
    steps.reserveCapacity(column.count)
    values.reserveCapacity(column.count)
    var position = 0
    for row in 0..<count where column.rows.contains(row) {
      if range.contains(axis[row]) {
        steps.append(axis[row])
        values.append(numbers[position])
      }
      position += 1
    }
  }
}
