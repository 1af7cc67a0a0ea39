import RunStore
import Telemetry
import TelemetryTesting

extension FuzzTarget {
  /// Decoders of what sealed reports are summed up to; what they accept must bear being summed up further.
  static let rollups: [FuzzTarget] = [
    rollupChunks, rollupHistograms, rollupScalars, segmentContents,
  ]

  /// Points of the rollup that the chunks are of.
  private static let points = 15
  /// Rows of a segment of which the points are made.
  private static let rows = 24

  private static let rollupChunks = blob("rollup_chunk", form: .parts) { random in
    let chunks = try StoredBlobs.read("body", of: "chunks", sealed: true, using: &random)
    return try chunks.enumerated().map { index, chunk in
      let columns = try chunk.withUnsafeBytes {
        try ChunkCodec.readAll(rows: rows, from: $0, Inflater())
      }
      var sum = RollupAccumulator(pointCount: points)
      for segment in 0..<points * RollupAccumulator.factor / rows {
        for column in columns { sum.add(column, first: rows, after: segment * rows) }
      }
      var writer = ByteWriter()
      let deflater = index % 2 == 0 ? Deflater() : nil
      RollupChunkCodec.write(sum.finish(), rows: points, to: &writer, deflater)
      return writer.array
    }
  } read: {
    bytes throws(CodecError) in
    let inflater = Inflater()
    // As queries read it: one metric, of chunks whose others may be damaged.
    let found = Metric.allCases.map { metric in
      let every = SeriesPoints.Statistics.all
      return try? RollupChunkCodec.read(metric, every, rows: points, from: bytes, inflater)
    }
    let all = try RollupChunkCodec.readAll(rows: points, from: bytes, inflater)
    for series in all where all.count(where: { $0.metric == series.metric }) == 1 {
      let one = zip(Metric.allCases, found).first { $0.0 == series.metric }?.1
      let isSame =
        one?.rows == series.rows && one?.values.count == series.count
        && one?.values.nonFiniteCount == series.nonFiniteCount
        && one?.values.max.count == series.max.count
      precondition(isSame, "\(series.metric) is another when it is read alone")
    }
    return all
  } write: { series, writer throws(CodecError) in
    var sum = RollupAccumulator(pointCount: 2)
    for one in series { sum.add(one, rows: points, after: points) }
    let coarser = sum.finish().filter { one in series.contains { $0.metric == one.metric } }
    for one in coarser {
      let finer = series.filter { $0.metric == one.metric }.flatMap(\.count).reduce(0, +)
      guard one.count.reduce(0, +) == finer else {
        throw CodecError("a coarser rollup has another number of measurements")
      }
    }
    // A column of no point is never written.
    guard series.allSatisfy({ !$0.count.isEmpty }) else { return false }
    RollupChunkCodec.write(series, rows: points, to: &writer, Deflater())
    return true
  }

  private static let rollupHistograms = blob("rollup_histograms") { random in
    (1...8).map { count in
      var writer = ByteWriter()
      let entries = (0..<count).map { row in
        let counts = (0..<row).map { _ in UInt64.random(in: 0...300, using: &random) }
        return RollupHistogramCodec.Entry(
          row: row,
          point: HistogramPoint(
            firstStep: UInt64(16 * row),
            lastStep: UInt64(16 * row + 15),
            mergedCount: 16,
            histogram: row % 3 == 2
              ? .explicit(ExplicitHistogram(bounds: [0, 1], counts: [1, 2, 3]))
              : .exponential(
                ExponentialHistogram(zeroCount: 3, positive: .init(offset: -4, counts: counts))
              )
          )
        )
      }
      RollupHistogramCodec.write(entries, to: &writer, count % 2 == 0 ? Deflater() : nil)
      return writer.array
    }
  } read: {
    bytes throws(CodecError) in
    try RollupHistogramCodec.read(bytes, Inflater())
  } write: { entries, writer throws(CodecError) in
    try merge(entries.map(\.point.histogram))
    RollupHistogramCodec.write(entries, to: &writer, Deflater())
    return true
  }

  private static let rollupScalars = blob("rollup_scalars") { random in
    (1...8).map { count in
      var sum = RollupScalarsAccumulator()
      for row in 0..<points * RollupAccumulator.factor {
        let scalars = StepReport.random(
          UInt64(row + 1),
          step: UInt64(row),
          layers: 1,
          tensors: 1,
          using: &random
        ).scalars
        if row % count == 0 { sum.add(scalars, row: row) }
      }
      var writer = ByteWriter()
      let deflater = count % 2 == 0 ? Deflater() : nil
      RollupScalarsCodec.write(sum.finish(), rows: points, to: &writer, deflater)
      return writer.array
    }
  } read: {
    bytes throws(CodecError) in
    try RollupScalarsCodec.read(bytes, rows: points, Inflater())
  } write: { series, writer throws(CodecError) in
    var sum = RollupScalarsAccumulator()
    for one in series { sum.add(one, rows: points, after: points) }
    let (coarser, finer) = (sum.finish().flatMap(\.count), series.flatMap(\.count))
    guard coarser.reduce(0, +) == finer.reduce(0, +) else {
      throw CodecError("a coarser rollup has another number of values")
    }
    RollupScalarsCodec.write(series, rows: points, to: &writer, Deflater())
    return true
  }

  private static let segmentContents = blob("segment_contents") { random in
    (1...8).map { count in
      let offsets = (0..<count * count).map { _ in Int64.random(in: 0..<99, using: &random) }
      var writer = ByteWriter()
      SegmentContents(chunks: offsets, histograms: offsets.map { $0 * $0 + 131_000 })
        .write(to: &writer)
      return writer.array
    }
  } read: {
    bytes throws(CodecError) in
    try SegmentContents.read(bytes)
  } write: { contents, writer throws(CodecError) in
    contents.write(to: &writer)
    return true
  }

  /// Merges histograms as a reader of few points has them: nothing is lost, and the sum stays small.
  static func merge(_ histograms: [GradientHistogram]) throws(CodecError) {
    var sum = ExponentialHistogram()
    var total: UInt64 = 0
    for case .exponential(let histogram) in histograms {
      sum.merge(histogram)
      total &+= histogram.total
      let largest = max(sum.positive.counts.count, sum.negative.counts.count)
      guard sum.total == total, largest <= ExponentialHistogram.maximumBuckets else {
        throw CodecError("merged \(total) elements: found \(sum.total), in \(largest) buckets")
      }
    }
  }
}
