import Telemetry

/// Turns consecutive reports of one producer, a row each, into a segment: a chunk for each tensor.
///
/// Values and runs of counts go from the log's bytes to the chunks' bytes without being decoded, so
/// the memory that it takes is that of both, and no more than twice the log's.
struct Transposition {
  /// The tensors whose histograms are gathered at a time: what a row says of them lies side by side.
  private static let window = 16

  /// A log row whose blobs lie end to end with those of the others.
  struct Row {
    var sequence: UInt64
    var receivedAt: WallTime
    var rewinds: Bool
    var body: Range<Int>
    /// Empty if the report has none.
    var histograms: Range<Int>
  }

  /// A chunk in the output.
  struct Chunk {
    /// What is added to the segment's first key.
    var offset: Int64
    var range: Range<Int>
  }

  private(set) var axis = SegmentCodec.Axis()
  private(set) var axisRange = 0..<0
  private(set) var scalars = 0..<0
  /// Empty if no report has norms through time.
  private(set) var timeStepNorms = 0..<0
  private(set) var chunks: [Chunk] = []
  private(set) var histograms: [Chunk] = []

  /// Transposes 1 to 256 rows.
  ///
  /// - Parameters:
  ///   - rows: The rows.
  ///   - arena: The rows' blobs.
  ///   - place: The producer, for errors.
  ///   - writer: Where all blobs of the segment go, end to end; empty.
  ///   - deflater: What compresses them.
  /// - Throws: ``RunStoreError/damaged(place:detail:)`` naming the report.
  init(
    _ rows: [Row],
    in arena: UnsafeRawBufferPointer,
    of place: Place,
    to writer: inout ByteWriter,
    _ deflater: Deflater
  ) throws(RunStoreError) {
    var bodies: [LogRow] = []
    var lines: [SegmentCodec.Row] = []
    var profiles: [[TimeStepNorms]] = []
    for row in rows {
      try place.adding("report \(row.sequence)").decode { () throws(CodecError) in
        let body = try LogRow(UnsafeRawBufferPointer(rebasing: arena[row.body]))
        guard body.sequence == row.sequence else {
          throw .unexpected("sequence", expected: "\(row.sequence)", found: "\(body.sequence)")
        }
        let scalars = try body.scalars()
        if let last = axis.steps.last, scalars.step <= last {
          throw .unexpected("step", expected: "one above \(last)", found: "\(scalars.step)")
        }
        axis.steps.append(scalars.step)
        axis.sequences.append(row.sequence)
        lines.append(.init(scalars: scalars, receivedAt: row.receivedAt, rewinds: row.rewinds))
        profiles.append(try body.timeStepNorms())
        bodies.append(body)
      }
    }
    writeShared(lines, profiles, to: &writer, deflater)
    for subject in [Metric.Subject.tensor, .layer] {
      writeChunks(of: subject, from: bodies, to: &writer, deflater)
    }
    try writeHistograms(of: rows, in: arena, place, to: &writer)
  }

  private mutating func writeShared(
    _ lines: [SegmentCodec.Row],
    _ profiles: [[TimeStepNorms]],
    to writer: inout ByteWriter,
    _ deflater: Deflater
  ) {
    SegmentCodec.write(axis, to: &writer)
    axisRange = 0..<writer.count
    SegmentCodec.write(lines, to: &writer, deflater)
    scalars = axisRange.upperBound..<writer.count
    guard profiles.contains(where: { !$0.isEmpty }) else { return }
    SegmentCodec.write(profiles, to: &writer, deflater)
    timeStepNorms = scalars.upperBound..<writer.count
  }

  private mutating func writeChunks(
    of subject: Metric.Subject,
    from bodies: [LogRow],
    to writer: inout ByteWriter,
    _ deflater: Deflater
  ) {
    var columns: [Metric: MetricRows] = [:]
    var maps = IndexMaps()
    var subjects = 0
    for (row, body) in bodies.enumerated() {
      for column in body.columns where column.metric.subject == subject {
        let group = column.metric.group
        let map = maps.add(body.indices(of: group) ?? [], for: group.rawValue)
        subjects = Swift.max(subjects, map.map { maps[$0].subjects } ?? column.count)
        columns[column.metric, default: MetricRows(column.metric)].add(column, of: row, map: map)
      }
    }
    let metrics = Metric.allCases.compactMap { columns[$0] }
    for index in 0..<subjects {
      let columns = metrics.map { $0.column(of: index, maps, rows: bodies.count) }
        .filter { !$0.bits.isEmpty }
      guard !columns.isEmpty else { continue }
      let start = writer.count
      ChunkCodec.write(columns, rows: bodies.count, to: &writer, deflater)
      chunks.append(
        Chunk(offset: ChunkKey.offset(subject, UInt32(index)), range: start..<writer.count)
      )
    }
  }

  private mutating func writeHistograms(
    of rows: [Row],
    in arena: UnsafeRawBufferPointer,
    _ place: Place,
    to writer: inout ByteWriter
  ) throws(RunStoreError) {
    var logs: [LogHistograms] = []
    var sources: [HistogramSource] = []
    var maps = IndexMaps()
    var subjects = 0
    for (index, row) in rows.enumerated() where !row.histograms.isEmpty {
      let log = try place.adding("report \(row.sequence)").decode { () throws(CodecError) in
        try LogHistograms(UnsafeRawBufferPointer(rebasing: arena[row.histograms]))
      }
      let source = HistogramSource(log, row: index, &maps)
      subjects = Swift.max(subjects, source.subjects(maps))
      sources.append(source)
      logs.append(log)
    }
    defer { withExtendedLifetime(logs) {} }
    var builders = [HistogramChunkCodec.Builder](repeating: .init(), count: Self.window)
    for first in stride(from: 0, to: subjects, by: Self.window) {
      let tensors = first..<Swift.min(first + Self.window, subjects)
      for source in sources {
        do throws(CodecError) {
          for tensor in tensors {
            try source.append(tensor, maps, to: &builders[tensor - first])
          }
        } catch {
          let report = rows[source.row].sequence
          throw .damaged(place: "\(place.adding("report \(report)"))", detail: error.detail)
        }
      }
      for tensor in tensors where !builders[tensor - first].isEmpty {
        let start = writer.count
        builders[tensor - first].write(to: &writer)
        histograms.append(
          Chunk(offset: ChunkKey.offset(.tensor, UInt32(tensor)), range: start..<writer.count)
        )
      }
    }
  }
}

/// The histograms of one row of the log, which must live as long.
private struct HistogramSource {
  let row: Int
  let exponential: LogHistograms.Exponential?
  let explicit: LogHistograms.Explicit?
  private let bytes: UnsafeRawBufferPointer
  private let countBytes: UnsafeRawBufferPointer
  /// The places in a list of maps, if the columns do not speak of all.
  private let exponentialMap: Int?
  private let explicitMap: Int?

  init(_ log: LogHistograms, row: Int, _ maps: inout IndexMaps) {
    self.row = row
    exponential = log.exponential
    explicit = log.explicit
    bytes = log.bytes
    countBytes = log.countBytes
    exponentialMap = maps.add(log.exponential.map { Array($0.form.indices) } ?? [], for: 0)
    explicitMap = maps.add(log.explicit.map { Array($0.form.indices) } ?? [], for: 1)
  }

  /// One more than the largest index of a tensor that has a histogram.
  func subjects(_ maps: IndexMaps) -> Int {
    Swift.max(
      exponentialMap.map { maps[$0].subjects } ?? exponential?.form.count ?? 0,
      explicitMap.map { maps[$0].subjects } ?? explicit?.form.count ?? 0
    )
  }

  /// Adds one tensor's histograms of this row.
  func append(
    _ tensor: Int,
    _ maps: IndexMaps,
    to builder: inout HistogramChunkCodec.Builder
  ) throws(CodecError) {
    if let exponential, let position = Self.position(of: tensor, exponentialMap, maps),
      position < exponential.form.count
    {
      try builder.append(exponential, at: position, in: bytes, countBytes, row: row)
    }
    if let explicit, let position = Self.position(of: tensor, explicitMap, maps),
      position < explicit.form.count
    {
      builder.append(explicit, at: position, in: bytes, countBytes, row: row)
    }
  }

  private static func position(of tensor: Int, _ map: Int?, _ maps: IndexMaps) -> Int? {
    guard let map else { return tensor }
    return maps[map].position(of: tensor)
  }
}
