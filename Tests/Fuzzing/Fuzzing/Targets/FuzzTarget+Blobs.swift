import RunStore
import Telemetry
import TelemetryTesting

extension FuzzTarget {
  /// Decoders of stored blobs, each with a checksum that fits what was changed.
  static let blobs: [FuzzTarget] = [
    blob("chunk", form: .chunk) { random in
      try StoredBlobs.read("body", of: "chunks", sealed: true, using: &random)
    } read: {
      bytes throws(CodecError) in
      try ChunkCodec.readAll(rows: 24, from: bytes, Inflater())
    } write: { columns, writer throws(CodecError) in
      // A column of no value is never written.
      guard columns.allSatisfy({ !$0.bits.isEmpty }) else { return false }
      ChunkCodec.write(columns, rows: 24, to: &writer, Deflater())
      return true
    },
    blob("histogram_chunk") { random in
      try StoredBlobs.read("body", of: "histograms", sealed: true, using: &random)
    } read: {
      bytes throws(CodecError) in
      try HistogramChunkCodec.read(bytes, Inflater())
    } write: { entries, _ throws(CodecError) in
      try merge(entries.map(\.histogram))
      // Written only from the log's bytes: the target "sealing" does.
      return false
    },
    blob("log_body") { random in
      try StoredBlobs.read("body", of: "log", sealed: false, using: &random)
    } read: {
      bytes throws(CodecError) in
      try LogRowCodec.read(body: bytes, histograms: nil)
    } write: { report, writer throws(CodecError) in
      try LogRowCodec.writeBody(of: report, to: &writer)
      return true
    },
    blob("log_histograms") { random in
      try StoredBlobs.read("histograms", of: "log", sealed: false, using: &random)
    } read: { bytes throws(CodecError) in
      var body = ByteWriter()
      var report = StepReport(
        sequence: 1,
        scalars: StepScalars(step: 1, wallTime: WallTime(clamping: 1))
      )
      report.gradients.norm = [1, 2, 3, 4, 5]
      try LogRowCodec.writeBody(of: report, to: &body)
      return try LogRowCodec.read(body: body.bytes, histograms: bytes)
    } write: { report, writer throws(CodecError) in
      try LogRowCodec.writeHistograms(of: report, to: &writer)
      return true
    },
    blob("axis") { random in
      try StoredBlobs.read("axis", of: "segments", sealed: true, using: &random)
    } read: {
      bytes throws(CodecError) in
      try SegmentCodec.readAxis(bytes)
    } write: { axis, writer throws(CodecError) in
      SegmentCodec.write(axis, to: &writer)
      return true
    },
    blob("scalars") { random in
      try StoredBlobs.read("body", of: "segment_scalars", sealed: true, using: &random)
    } read: {
      bytes throws(CodecError) in
      try SegmentCodec.readRows(bytes, Inflater())
    } write: { rows, writer throws(CodecError) in
      SegmentCodec.write(rows, to: &writer, Deflater())
      return true
    },
    blob("time_step_norms") { random in
      try StoredBlobs.read("time_step_norms", of: "segment_scalars", sealed: true, using: &random)
    } read: {
      bytes throws(CodecError) in
      try SegmentCodec.readTimeStepNorms(bytes, Inflater())
    } write: { profiles, writer throws(CodecError) in
      SegmentCodec.write(profiles, to: &writer, Deflater())
      return true
    },
    blob("model") { _ in
      try models.map { model in
        var writer = ByteWriter()
        ModelCodec.write(model, to: &writer, Deflater())
        return writer.array
      }
    } read: {
      bytes throws(CodecError) in
      try ModelCodec.read(bytes)
    } write: { model, writer throws(CodecError) in
      ModelCodec.write(model, to: &writer, Deflater())
      return true
    },
    blob("labels") { _ in
      (0..<8).map { count in
        var writer = ByteWriter()
        LabelsCodec.write(
          tags: (0..<count).map { "tag \($0)" },
          hyperparameters: ["rate": "0.1", "ü": "", "\(count)": "number"],
          to: &writer
        )
        return writer.array
      }
    } read: {
      bytes throws(CodecError) in
      try LabelsCodec.read(bytes)
    } write: { labels, writer throws(CodecError) in
      LabelsCodec.write(
        tags: labels.tags,
        hyperparameters: labels.hyperparameters,
        to: &writer
      )
      return true
    },
    alerts,
  ]

  /// Transitions, each with a whole alert.
  private static let alerts = blob("alert") { random in
    try AlertSamples.transitions(using: &random).map { transition in
      var writer = ByteWriter()
      AlertCodec.write(transition, to: &writer, Deflater())
      return writer.array
    }
  } read: {
    bytes throws(CodecError) in
    try AlertCodec.readTransition(bytes)
  } write: { transition, writer throws(CodecError) in
    AlertCodec.write(transition, to: &writer, Deflater())
    return true
  }

  /// Models of one layer and more, with all that a layer and a tensor may say.
  private static var models: [Model] {
    get throws {
      try (1...8).map { count in
        var layers = (0..<count).map { Layer(name: "layer \($0)", moduleType: "Linear", fanIn: 4) }
        layers[0].isResidual = true
        layers[0].fanOut = .max
        var tensors = (0..<2 * count).map { index in
          Tensor(
            name: "tensor \(index)",
            layer: UInt32(index / 2),
            role: TensorRole.allCases[index % TensorRole.allCases.count],
            shape: [2, UInt64(index + 1)],
            elementCount: 2 * UInt64(index + 1)
          )
        }
        tensors[1].shape = tensors[0].shape
        tensors[1].elementCount = tensors[0].elementCount
        tensors[1].tiedTo = 0
        tensors[0].isTrainable = false
        return try Model(layers: layers, tensors: tensors)
      }
    }
  }

  /// A target for one kind of blob; `write` says whether it has written.
  static func blob<Value>(
    _ name: String,
    form: BlobForm = .frame,
    seeds: @escaping @Sendable (inout SeededGenerator) throws -> [[UInt8]],
    read: @escaping @Sendable (UnsafeRawBufferPointer) throws(CodecError) -> Value,
    write: @escaping @Sendable (Value, inout ByteWriter) throws(CodecError) -> Bool
  ) -> FuzzTarget {
    FuzzTarget(
      name: name,
      seeds: seeds,
      mutate: { bytes, pool, random in form.change(&bytes, pool, &random) },
      check: { input throws(FuzzFinding) in try checkBlob(input, read: read, write: write) }
    )
  }

  /// Reads a blob; what was read must come back from what is written of it.
  static func checkBlob<Value>(
    _ input: [UInt8],
    read: (UnsafeRawBufferPointer) throws(CodecError) -> Value,
    write: (Value, inout ByteWriter) throws(CodecError) -> Bool
  ) throws(FuzzFinding) -> Bool {
    let value: Value
    do throws(CodecError) {
      value = try GuardedBytes.with(input, read)
    } catch {
      guard !error.detail.isEmpty else { throw FuzzFinding("refused without a reason") }
      return false
    }
    do throws(CodecError) {
      var first = ByteWriter()
      guard try write(value, &first) else { return true }
      var second = ByteWriter()
      _ = try write(try read(first.bytes), &second)
      guard first.array == second.array else {
        throw CodecError("expected the same bytes, found others")
      }
    } catch {
      throw FuzzFinding("what was read is not what is written of it: \(error.detail)")
    }
    return true
  }
}
