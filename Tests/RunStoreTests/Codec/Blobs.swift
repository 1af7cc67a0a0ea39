import RunStore
import Telemetry
import Testing

/// Every kind of blob that a store writes, with a function that reads it.
struct Blob: Sendable, CustomStringConvertible {
  /// The table and column.
  let name: String
  /// Reads all of it.
  let read: @Sendable (UnsafeRawBufferPointer) throws(CodecError) -> Any

  /// The name.
  var description: String { name }

  /// Reads an array.
  @discardableResult
  func read(_ bytes: [UInt8]) throws(CodecError) -> Any {
    var writer = ByteWriter()
    writer.append(elements: bytes)
    return try read(writer.bytes)
  }

  /// The number of rows of the segment of ``goldenReports``.
  static let rows = 3

  /// All kinds.
  static let all: [Blob] = [
    Blob(name: "models.body") { bytes throws(CodecError) in try ModelCodec.read(bytes) },
    Blob(name: "runs.labels") { bytes throws(CodecError) in
      let labels = try LabelsCodec.read(bytes)
      return [labels.tags] + labels.hyperparameters.map { [$0.key, $0.value] }
    },
    Blob(name: "snapshots.state") { bytes throws(CodecError) in
      try SnapshotCodec.read(bytes)
    },
    Blob(name: "log.body") { bytes throws(CodecError) in
      try LogRowCodec.read(body: bytes, histograms: nil)
    },
    Blob(name: "log.histograms") { bytes throws(CodecError) in
      var body = ByteWriter()
      try LogRowCodec.writeBody(of: Samples.plain(1, step: 0), to: &body)
      return try LogRowCodec.read(body: body.bytes, histograms: bytes)
    },
    Blob(name: "segments.axis") { bytes throws(CodecError) in
      try SegmentCodec.readAxis(bytes)
    },
    Blob(name: "segment_scalars.body") { bytes throws(CodecError) in
      try SegmentCodec.readRows(bytes, Inflater())
    },
    Blob(name: "segment_scalars.time_step_norms") { bytes throws(CodecError) in
      try SegmentCodec.readTimeStepNorms(bytes, Inflater())
    },
    Blob(name: "chunks.body") { bytes throws(CodecError) in
      try ChunkCodec.readAll(rows: rows, from: bytes, Inflater())
    },
    Blob(name: "histograms.body") { bytes throws(CodecError) in
      try HistogramChunkCodec.read(bytes, Inflater())
    },
    Blob(name: "alerts.body") { bytes throws(CodecError) in try AlertCodec.read(bytes) },
    Blob(name: "alert_transitions.body") { bytes throws(CodecError) in
      try AlertCodec.readTransition(bytes)
    },
  ]

  /// The kind of a name.
  static func named(_ name: String) throws -> Blob { try #require(all.first { $0.name == name }) }

  /// Three reports that use every field and every layout of a column.
  static func goldenReports() -> [StepReport] {
    (0..<3).map { row in
      var scalars = StepScalars(step: 10 + 5 * UInt64(row), wallTime: Samples.time(1e9 + 0.5))
      scalars.losses = [NamedLoss(name: "loss", value: .nan), NamedLoss(name: "ü", value: -0.0)]
      scalars.learningRate = 0.1
      scalars.globalNorm = .infinity
      scalars.clipping = Clipping(kind: .adaptive, threshold: 1.5, clipped: true)
      scalars.lossScale = 65_536
      scalars.gradientsAreScaled = true
      scalars.optimizerSkipped = row == 1
      scalars.batchSize = 32
      scalars.phase = .decay
      scalars.droppedSteps = 4
      var report = StepReport(sequence: UInt64(row + 1), scalars: scalars)
      report.gradients.norm = [Float(row), 2, Float(bitPattern: 0x7FC0_1234)]
      report.gradients.zeroCount = [UInt64(row) << 40, 7, 0]
      report.gradients.nanCount = [0, 0, 0]
      if row != 1 { report.parameters.norm = [1, Float(row), -0.0] }
      report.parameters.tensorIDs = row == 2 ? [2, 0, 1] : []
      if row == 1 { report.parameters.updateNorm = [0.5, 0.5, 0.5] }
      report.activations.layerIDs = [1]
      report.activations.saturatedFraction = [0.25]
      var column = ExponentialHistogramColumn()
      column.scale = -3
      column.tensorIDs = row == 1 ? [0] : []
      for tensor in 0..<(row == 1 ? 1 : 3) {
        column.append(
          ExponentialHistogram(
            scale: -3,
            zeroCount: 300,
            positive: .init(offset: -7, counts: [1, 0, 256, 70_000, 2]),
            negative: .init(offset: 3, counts: tensor == 1 ? [] : [1 << 40])
          )
        )
      }
      report.histograms = column
      if row == 2 {
        var column = ExplicitHistogramColumn()
        column.bounds = [-1, 0.5]
        column.counts = [1, 2, 3, 4, 5, 6, 7, 8, 9]
        report.explicitHistograms = column
      }
      if row == 0 {
        report.timeStepNorms = [TimeStepNorms(layer: 2, positions: [0, 9], norms: [1, .infinity])]
      }
      return report
    }
  }

  /// The rows of the compressed golden blobs.
  static let compressedRows = 100

  /// The state of a compressed snapshot.
  static let compressedState = (0..<128).map { UInt8($0 % 4) }

  /// Statistics and histograms in which much repeats.
  static func compressedReport(_ row: Int) -> StepReport {
    let scalars = StepScalars(step: UInt64(row), wallTime: Samples.time(1e9))
    var report = StepReport(sequence: UInt64(row + 1), scalars: scalars)
    report.gradients.norm = [1 + Float(row) / 128]
    report.gradients.zeroCount = [UInt64(row % 3)]
    var column = ExponentialHistogramColumn()
    column.append(histogram(row))
    report.histograms = column
    return report
  }

  /// What the compressed golden chunk holds.
  static func compressedColumns() -> [ChunkCodec.Column] {
    let rows = RowSet(first: compressedRows)
    let norms = (0..<compressedRows).map { UInt64((1 + Float($0) / 128).bitPattern) }
    let zeros = (0..<compressedRows).map { UInt64($0 % 3) }
    return [
      ChunkCodec.Column(metric: .gradientNorm, rows: rows, bits: norms),
      ChunkCodec.Column(metric: .gradientZeroCount, rows: rows, bits: zeros),
    ]
  }

  /// What the compressed golden histogram chunk holds.
  static func compressedHistograms() -> [HistogramChunkCodec.Entry] {
    (0..<compressedRows).map { .init(row: $0, histogram: .exponential(histogram($0))) }
  }

  private static func histogram(_ row: Int) -> ExponentialHistogram {
    ExponentialHistogram(
      scale: 0,
      zeroCount: 3,
      positive: .init(offset: -7, counts: [1, 2, 300, UInt64(row % 4), 5]),
      negative: .init(offset: -6, counts: [9, 8, 7])
    )
  }

  /// A compressed blob as it would stand uncompressed.
  static func inflated(_ bytes: [UInt8]) throws -> [UInt8] {
    let size = (0..<4).reduce(0) { $0 | Int(bytes[2 + $1]) << (8 * $1) }
    let content = try bytes.withUnsafeBytes { bytes in
      let frame = UnsafeRawBufferPointer(rebasing: bytes[6..<bytes.count - 4])
      let inflater = Inflater()
      return try withExtendedLifetime(inflater) { Array(try inflater.inflate(frame, size: size)) }
    }
    let blob = [bytes[0], 0] + content
    let sum = blob.withUnsafeBytes { Checksum.of($0) }
    return blob + (0..<4).map { UInt8(truncatingIfNeeded: sum >> UInt32(8 * $0)) }
  }

  /// Hexadecimal digits as bytes.
  static func bytes(_ digits: String) -> [UInt8] {
    let digits = Array(digits.utf8)
    func value(_ digit: UInt8) -> UInt8 { digit < 58 ? digit - 48 : digit - 55 }
    return stride(from: 0, to: digits.count, by: 2).map {
      value(digits[$0]) << 4 | value(digits[$0 + 1])
    }
  }
}
