import GRDB
public import Telemetry

extension SQLiteRunStore {
  /// The next reports in step order, put together from a segment's chunks, or from the log.
  public func reports(
    of run: RunID,
    producer: ProducerID,
    from step: UInt64
  ) throws(RunStoreError) -> [LoggedReport] {
    try read("read reports of run \(run)") { db in
      let reader = try TelemetryReader(
        db,
        run: run,
        producer: producer,
        steps: step...Swift.max(step, Step.maximum)
      )
      if let segment = try reader.nextSegment() { return segment }
      var reports: [LoggedReport] = []
      var bytes = 0
      try db.rows(
        """
        SELECT sequence, received_at, rewinds, body, histograms FROM log
        WHERE producer = ? AND step >= ? ORDER BY sequence LIMIT ?
        """,
        .integer(reader.keys.producer),
        .number(step),
        .integer(Int64(RowSet.maximumRows))
      ) { row in
        let body = row.blob(3)
        let histograms = row.isNull(4) ? nil : row.blob(4)
        bytes += body.count + (histograms?.count ?? 0)
        let report = try reader.decode("report \(row.number(0))") { () throws(CodecError) in
          try LogRowCodec.read(body: body, histograms: histograms)
        }
        reports.append(
          LoggedReport(
            report: report,
            receivedAt: WallTime(clamping: row.real(1)),
            rewinds: row.integer(2) != 0
          )
        )
        return bytes < options.maximumSegmentBytes
      }
      return reports
    }
  }
}

extension TelemetryReader {
  /// The reports of the first segment that has any of the steps; `nil` if none has.
  fileprivate func nextSegment() throws -> [LoggedReport]? {
    let model = try db.firstRow(
      "SELECT tensor_count, layer_count FROM runs WHERE key = ?",
      .integer(keys.run)
    ) { (tensors: Int($0.integer(0)), layers: Int($0.integer(1))) }
    return try db.firstRow(
      """
      SELECT s.first_step, s.last_step, s.id, s.count, s.axis, c.body, c.time_step_norms, s.contents
      FROM segments s LEFT JOIN segment_scalars c ON c.segment = s.id
      WHERE s.producer = ? AND s.last_step >= ? ORDER BY s.last_step LIMIT 1
      """,
      .integer(keys.producer),
      .number(steps.lowerBound)
    ) { row in
      let range = row.number(0)...Swift.max(row.number(0), row.number(1))
      let place = place(text(range))
      guard !row.isNull(5) else { throw lost("scalars of \(text(range))") }
      var reports = try place.decode { () throws(CodecError) in
        try SegmentReports(
          axis: row.blob(4),
          scalars: row.blob(5),
          timeStepNorms: row.isNull(6) ? nil : row.blob(6)
        )
      }
      let segment = row.integer(2)
      let all = 0..<ChunkKey.span
      var found = (chunks: [Int64](), histograms: [Int64]())
      try db.chunks("chunks", of: segment, all) { offset, body in
        found.chunks.append(offset)
        try place.decode { () throws(CodecError) in try reports.add(chunk: body, at: offset) }
      }
      try db.chunks("histograms", of: segment, all) { offset, body in
        found.histograms.append(offset)
        try place.decode { () throws(CodecError) in try reports.add(histograms: body, at: offset) }
      }
      if !row.isNull(7) {
        try place.decode { () throws(CodecError) in
          let contents = try SegmentContents.read(row.blob(7))
          let isWhole =
            contents.chunks == .init(found.chunks)
            && contents.histograms == .init(found.histograms)
          guard isWhole else { throw .lost }
        }
      }
      return reports.reports(
        first: Int(clamping: row.integer(3)),
        tensors: model?.tensors ?? 0,
        layers: model?.layers ?? 0
      ).filter { $0.report.step >= steps.lowerBound }
    }
  }
}
