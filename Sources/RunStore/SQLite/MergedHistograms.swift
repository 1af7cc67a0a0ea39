import Telemetry

/// One tensor's histograms, merged into the points of a rollup.
struct MergedHistograms {
  /// The most bytes of histograms that could be merged into neither of a point's first two.
  ///
  /// A client whose bounds change from report to report has one a report, of up to 64 kB: 65,536 of them at the second level. Such a
  /// tensor is not rolled up; readers have the level below.
  private static let mostFurtherBytes = 256 << 10

  /// The merged ones, by point; a point has several if form or bounds change within it.
  private(set) var entries: [RollupHistogramCodec.Entry] = []
  private var furtherBytes = 0

  /// Whether there are too many that can't be merged; what is added then is left out.
  var isTooMany: Bool { furtherBytes > Self.mostFurtherBytes }

  /// Adds the histograms of a segment's chunk.
  mutating func addMeasurements(
    in bytes: UnsafeRawBufferPointer,
    of source: RollupPlan.Source,
    after rowsBefore: Int,
    _ inflater: Inflater
  ) throws(CodecError) {
    let steps = source.axis.steps.prefix(source.count)
    let reader = try HistogramChunkReader(bytes, inflater)
    func point(of row: Int) -> Int { (rowsBefore + row) / RollupAccumulator.factor }
    guard !reader.hasExplicit else {
      return reader.forEach { row, view in
        guard row < steps.count, !isTooMany else { return }
        add(HistogramPoint(step: steps[row], histogram: view.histogram), row: point(of: row))
      }
    }
    reader.forEachSum(where: { $0 < steps.count && point(of: $0) == point(of: $1) }) {
      rows,
      count,
      view in
      guard rows.upperBound < steps.count else { return }
      let (row, lastStep) = (point(of: rows.lowerBound), steps[rows.upperBound])
      if let last = entries.indices.last, entries[last].row == row,
        entries[last].point.merge(view, count: count, lastStep: lastStep)
      {
        return
      }
      let sum = HistogramPoint(
        firstStep: steps[rows.lowerBound],
        lastStep: lastStep,
        mergedCount: UInt64(count),
        histogram: .exponential(ExponentialHistogram(view))
      )
      add(sum, row: row)
    }
  }

  /// Adds histograms to a point: to those of the same form that it ends with, or as an entry of their own.
  mutating func add(_ point: HistogramPoint, row: Int) {
    for index in entries.indices.reversed() {
      guard entries[index].row == row else { break }
      if entries[index].point.merge(point) { return }
    }
    // One of each form is usual.
    if entries.dropLast().last?.row == row { furtherBytes += point.histogram.approximateBytes }
    guard !isTooMany else { return }
    entries.append(RollupHistogramCodec.Entry(row: row, point: point))
  }
}

extension GradientHistogram {
  /// About the memory that it takes.
  fileprivate var approximateBytes: Int {
    switch self {
    case .exponential(let histogram):
      128 + 8 * (histogram.positive.counts.count + histogram.negative.counts.count)
    case .explicit(let histogram): 128 + 8 * (histogram.bounds.count + histogram.counts.count)
    }
  }
}
