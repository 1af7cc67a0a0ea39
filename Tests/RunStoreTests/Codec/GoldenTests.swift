import RunStore
import Telemetry
import Testing

@Suite("Golden bytes")
struct GoldenTests {
  @Test("every blob of a small run has the bytes that it always had")
  func written() throws {
    let folder = try TemporaryFolder()
    let store = try SQLiteRunStore(path: folder.file())
    let found = try Self.blobs(of: store)
    for blob in Blob.all {
      // Other versions of zstd may write other bytes for the same content.
      let plain = try found[blob.name]?.map { digits in
        let isCompressed = blob.name != "chunks.body" && digits.dropFirst(2).hasPrefix("01")
        return isCompressed ? try Blob.inflated(Blob.bytes(digits)) : Blob.bytes(digits)
      }
      let written = GoldenBlobs.columns[blob.name] ?? GoldenBlobs.version1[blob.name]
      let golden = written?.map { Blob.bytes($0) }
      #expect(plain == golden, "\(blob.name)")
    }
    try store.close()
  }

  @Test("compressed blobs are read as what they always were")
  func compressed() throws {
    let scalars = Blob.bytes(GoldenBlobs.compressed["segment_scalars.body"]?.first ?? "")
    #expect(
      try Blob.inflated(scalars)
        == GoldenBlobs.version1["segment_scalars.body"].map {
          Blob.bytes($0[0])
        }
    )
    let chunk = Blob.bytes(GoldenBlobs.compressed["chunks.body"]?.first ?? "")
    let columns = try chunk.withUnsafeBytes { bytes throws(CodecError) in
      try ChunkCodec.readAll(rows: Blob.compressedRows, from: bytes, Inflater())
    }
    #expect(columns == Blob.compressedColumns())
    let histograms = Blob.bytes(GoldenBlobs.compressed["histograms.body"]?.first ?? "")
    let entries = try histograms.withUnsafeBytes { bytes throws(CodecError) in
      try HistogramChunkCodec.read(bytes, Inflater())
    }
    #expect(entries == Blob.compressedHistograms())
    let many = try Blob.named("histograms.body").read(Blob.bytes(GoldenBlobs.columnsOfManyRows))
    #expect(many as? [HistogramChunkCodec.Entry] == Blob.compressedHistograms())
    let snapshot = Blob.bytes(GoldenBlobs.compressed["snapshots.state"]?.first ?? "")
    let state = try snapshot.withUnsafeBytes { bytes throws(CodecError) in
      try SnapshotCodec.read(bytes)
    }
    #expect(state == Blob.compressedState)
  }

  @Test("a segment of many rows and a snapshot are stored compressed, and the golden bytes say how")
  func compresses() throws {
    let folder = try TemporaryFolder()
    let store = try SQLiteRunStore(path: folder.file())
    let registration = try Samples.registration(model: Samples.model(layers: 1, tensors: 1))
    _ = try store.register(registration, at: Samples.time(1))
    var changes = (0..<Blob.compressedRows).map { row in
      RunChange.report(
        RunChange.AcceptedReport(
          run: registration.run,
          producer: registration.producer.id,
          report: Blob.compressedReport(row),
          receivedAt: Samples.time(1e9),
          snapshot: Blob.compressedState
        )
      )
    }
    changes.append(
      .finish(run: registration.run, status: .finished, reason: "", at: Samples.time(2))
    )
    _ = try store.commit(changes)
    _ = try store.sealNext()
    func digits(_ column: String, of table: String) throws -> String {
      try store.queryOnWriter("SELECT hex(\(column)) FROM \(table)")[0].filter { $0 != "\"" }
    }
    for (table, column) in [("chunks", "body"), ("snapshots", "state")] {
      let digits = try digits(column, of: table)
      let golden = try #require(GoldenBlobs.compressed["\(table).\(column)"]?.first)
      #expect(abs(digits.count - golden.count) < golden.count / 4, "\(table): \(digits)")
    }
    #expect(try digits("body", of: "histograms") == GoldenBlobs.columnsOfManyRows)
    try store.close()
  }

  @Test("every blob of every version is read as what it always was", arguments: Blob.all)
  func read(blob: Blob) throws {
    let version1 = GoldenBlobs.version1[blob.name] ?? []
    let version2 = GoldenBlobs.version2[blob.name] ?? []
    let columns = GoldenBlobs.columns[blob.name] ?? []
    let all = [version1, version2, columns].flatMap { Array($0.enumerated()) }
    for (index, digits) in all {
      let found = try blob.read(Blob.bytes(digits))
      switch found {
      // A dictionary has no order as text, and nothing in these is NaN.
      case let alert as Alert: #expect(alert == Samples.alert())
      case let transition as AlertTransition:
        #expect(transition == Samples.transition(Samples.alert(), from: .pending))
      default: #expect(try exactly(found) == Self.expected(blob.name, index))
      }
    }
    #expect(!version1.isEmpty)
  }

  @Test("a report with annotations has the bytes that it always had, and one without has none more")
  func annotations() throws {
    func body(_ annotations: [StepAnnotation]) throws -> ByteWriter {
      var report = Samples.plain(1, step: 2)
      report.scalars.annotations = annotations
      var writer = ByteWriter()
      try LogRowCodec.writeBody(of: report, to: &writer)
      return writer
    }
    let annotated = try body(Samples.annotations(2))
    #expect(annotated.array == Blob.bytes(GoldenBlobs.annotatedLogBody))
    let read = try LogRowCodec.read(body: annotated.bytes, histograms: nil)
    #expect(read.scalars.annotations == Samples.annotations(2))
    // A count, and a length and bytes of each of three texts.
    let texts = ["action_0", "action_1", "learning rate 0.01 -> 0.000 ü", "0123456789abcdef"]
    let size = 4 + 2 * 3 * 4 + texts.reduce(0) { $0 + $1.utf8.count }
    #expect(try annotated.count == body([]).count + size)
    for length in 0..<annotated.count {
      let cut = UnsafeRawBufferPointer(rebasing: annotated.bytes[..<length])
      #expect(throws: CodecError.self) { try LogRowCodec.read(body: cut, histograms: nil) }
    }
  }

  @Test("scalars of a rollup have the bytes that they always had")
  func rollupScalars() throws {
    var sum = RollupScalarsAccumulator()
    for (row, loss) in [(0, 1), (1, 2), (32, Double.infinity)] {
      sum.add(Samples.plain(1, step: 0, loss: loss).scalars, row: row)
    }
    var writer = ByteWriter()
    RollupScalarsCodec.write(sum.finish(), rows: 3, to: &writer, nil)
    // A series, "loss" of points 0 and 2, and its six columns; a checksum behind them.
    let golden = """
      010001000000 00 040000006C6F7373 05
      000000000000F03F 000000000000F87F 0000000000000040 000000000000F87F
      000000000000F83F 000000000000F87F 0000000000000040 000000000000F07F
      010201 010001
      """
    #expect(writer.array.dropLast(4) == Blob.bytes(golden.filter(\.isHexDigit))[...])
    let read = try RollupScalarsCodec.read(writer.bytes, rows: 3, Inflater())
    #expect(read == sum.finish())
    // As a damaged row of `rollups` would have it.
    for rows in [-1, 257, .max] {
      #expect(throws: CodecError.self) {
        try RollupScalarsCodec.read(writer.bytes, rows: rows, Inflater())
      }
    }
    for length in 0..<writer.count {
      let cut = UnsafeRawBufferPointer(rebasing: writer.bytes[..<length])
      #expect(throws: CodecError.self) { try RollupScalarsCodec.read(cut, rows: 3, Inflater()) }
    }
  }

  @Test("contents of a segment have the bytes that they always had, and no others are read")
  func contents() throws {
    let contents = SegmentContents(chunks: [131_072, 0, 1, 2, 5, 2])
    var writer = ByteWriter()
    contents.write(to: &writer)
    // Three runs, each the gap before it and its length; no run of histograms; a checksum behind them.
    #expect(writer.array.dropLast(4) == Blob.bytes("0100" + "0300030201FAFF0701" + "00")[...])
    #expect(try SegmentContents.read(writer.bytes) == contents)
    for length in 0..<writer.count {
      let cut = UnsafeRawBufferPointer(rebasing: writer.bytes[..<length])
      #expect(throws: CodecError.self) { try SegmentContents.read(cut) }
    }
  }

  /// All blobs of a run of three reports, before and after sealing, by table and column.
  static func blobs(of store: SQLiteRunStore) throws -> [String: [String]] {
    let registration = try Samples.registration(model: Self.model())
    _ = try store.register(registration, at: Samples.time(1))
    var changes = Blob.goldenReports().map { report in
      RunChange.report(
        RunChange.AcceptedReport(
          run: registration.run,
          producer: registration.producer.id,
          report: report,
          receivedAt: Samples.time(1e9 + 1),
          snapshot: [1, 2, 3]
        )
      )
    }
    changes.append(.transitions([Samples.transition(Samples.alert(), from: .pending)]))
    _ = try store.commit(changes)
    var blobs: [String: [String]] = [:]
    func gather() throws {
      for blob in Blob.all {
        let parts = blob.name.split(separator: ".")
        let digits = try store.queryOnWriter(
          "SELECT hex(\(parts[1])) FROM \(parts[0]) WHERE \(parts[1]) IS NOT NULL ORDER BY rowid"
        )
        if !digits.isEmpty {
          blobs[blob.name] = digits.map { String($0.filter { $0 != "\"" }) }
        }
      }
    }
    try gather()
    _ = try store.commit([
      .finish(run: registration.run, status: .finished, reason: "", at: Samples.time(2))
    ])
    _ = try store.sealNext()
    try gather()
    return blobs
  }

  private static func model() throws -> Model {
    try Model(
      layers: [
        Layer(
          name: "a",
          moduleType: "Linear",
          activation: "relu",
          normalization: "none",
          isResidual: true,
          fanIn: 3,
          fanOut: 4
        ), Layer(name: "b"),
      ],
      tensors: [
        Tensor(
          name: "w",
          layer: 0,
          role: .weight,
          shape: [3, 4],
          elementCount: 12,
          initialization: "zeros",
          isTrainable: false,
          tiedTo: 1
        ),
        Tensor(name: "v", layer: 1, role: .bias, elementCount: 1),
        Tensor(name: "u", layer: 1, role: .head, elementCount: 1),
      ]
    )
  }

  /// What the blob with a name, of several in the order of their keys, holds.
  private static func expected(_ name: String, _ index: Int) throws -> String {
    let reports = Blob.goldenReports()
    switch name {
    case "models.body": return exactly(try model())
    case "runs.labels": return exactly([["b", "a"], ["lr", "0.1"]])
    case "snapshots.state": return exactly([1, 2, 3] as [UInt8])
    case "log.body":
      var report = reports[index]
      report.histograms = nil
      report.explicitHistograms = nil
      return exactly(report)
    case "log.histograms":
      var report = Samples.plain(1, step: 0)
      report.histograms = reports[index].histograms
      report.explicitHistograms = reports[index].explicitHistograms
      return exactly(report)
    case "segments.axis":
      return exactly(SegmentCodec.Axis(steps: [10, 15, 20], sequences: [1, 2, 3]))
    case "segment_scalars.body":
      return exactly(
        reports.map {
          SegmentCodec.Row(scalars: $0.scalars, receivedAt: Samples.time(1e9 + 1), rewinds: false)
        }
      )
    case "segment_scalars.time_step_norms": return exactly(reports.map(\.timeStepNorms))
    case "chunks.body": return exactly(columns(index))
    default: return exactly(histograms(UInt32(index), reports))
    }
  }

  /// The columns of the three tensors, and of layer 1.
  private static func columns(_ index: Int) -> [ChunkCodec.Column] {
    func column(_ metric: Metric, _ rows: [Int], _ bits: [UInt64]) -> ChunkCodec.Column {
      var set = RowSet()
      for row in rows { set.insert(row) }
      return ChunkCodec.Column(metric: metric, rows: set, bits: bits)
    }
    let one: UInt64 = 0x3F80_0000
    let two: UInt64 = 0x4000_0000
    let minusZero: UInt64 = 0x8000_0000
    guard index < 3 else {
      return [
        column(.activationSaturatedFraction, [0, 1, 2], [0x3E80_0000, 0x3E80_0000, 0x3E80_0000])
      ]
    }
    let nan: UInt64 = 0x7FC0_1234
    return [
      column(
        .gradientNorm,
        [0, 1, 2],
        [[0, one, two], [two, two, two], [nan, nan, nan]][index]
      ),
      column(
        .gradientZeroCount,
        [0, 1, 2],
        [[0, 1 << 40, 2 << 40], [7, 7, 7], [0, 0, 0]][index]
      ),
      column(.gradientNaNCount, [0, 1, 2], [0, 0, 0]),
      column(.parameterNorm, [0, 2], [[one, two], [0, minusZero], [minusZero, one]][index]),
      column(.updateNorm, [1], [0x3F00_0000]),
    ]
  }

  /// The histograms of one tensor: in row 1 only the first has one, in row 2 all have both forms.
  private static func histograms(
    _ tensor: UInt32,
    _ reports: [StepReport]
  ) -> [HistogramChunkCodec.Entry] {
    var entries: [HistogramChunkCodec.Entry] = []
    for row in 0..<3 where row != 1 || tensor == 0 {
      guard let column = reports[row].histograms else { continue }
      entries.append(.init(row: row, histogram: .exponential(column.histograms[Int(tensor)])))
    }
    let counts = (0..<3).map { 3 * UInt64(tensor) + $0 + 1 }
    let explicit = ExplicitHistogram(bounds: [-1, 0.5], counts: counts)
    return entries + [.init(row: 2, histogram: .explicit(explicit))]
  }
}
