import Telemetry

/// Puts the reports of a segment together again: what sealing took apart, value for value.
///
/// Tensors and layers come in the order of their index, whatever order a report had them in.
struct SegmentReports {
  /// The values of one row, by group and metric, and what they are of.
  private struct Row {
    var indices: [[UInt32]] = ColumnGroup.allCases.map { _ in [] }
    var floats: [Metric: [Float]] = [:]
    var counts: [Metric: [UInt64]] = [:]
    var exponential: ExponentialHistogramColumn?
    var explicit: ExplicitHistogramColumn?
  }

  private let axis: SegmentCodec.Axis
  private let scalars: [SegmentCodec.Row]
  private let profiles: [[TimeStepNorms]]
  private var rows: [Row]
  private let inflater = Inflater()

  /// Begins with what all tensors share.
  ///
  /// - Throws: ``CodecError`` if the blobs can't be read, or are not of as many rows.
  init(
    axis: UnsafeRawBufferPointer,
    scalars: UnsafeRawBufferPointer,
    timeStepNorms: UnsafeRawBufferPointer?
  ) throws(CodecError) {
    self.axis = try SegmentCodec.readAxis(axis)
    self.scalars = try SegmentCodec.readRows(scalars, inflater)
    let count = self.axis.steps.count
    if let timeStepNorms {
      profiles = try SegmentCodec.readTimeStepNorms(timeStepNorms, inflater)
    } else {
      profiles = [[TimeStepNorms]](repeating: [], count: count)
    }
    guard self.scalars.count == count, profiles.count == count else {
      throw .unexpected(
        "rows",
        expected: "\(count)",
        found: "\(self.scalars.count) and \(profiles.count)"
      )
    }
    rows = [Row](repeating: Row(), count: count)
  }

  /// Adds the statistics of one tensor or layer; called in the order of the keys.
  mutating func add(chunk: UnsafeRawBufferPointer, at offset: Int64) throws(CodecError) {
    let index = ChunkKey.subject(at: offset).index
    let columns = try ChunkCodec.readAll(rows: rows.count, from: chunk, inflater)
    for column in columns {
      var position = 0
      for row in rows.indices where column.rows.contains(row) {
        let bits = column.bits[position]
        position += 1
        if column.metric.isCount {
          rows[row].counts[column.metric, default: []].append(bits)
        } else {
          rows[row].floats[column.metric, default: []].append(
            Float(bitPattern: UInt32(truncatingIfNeeded: bits))
          )
        }
        // All columns of a group speak of the same tensors: the first one names them.
        let group = column.metric.group.rawValue
        if rows[row].indices[group].last != index { rows[row].indices[group].append(index) }
      }
    }
  }

  /// Adds the histograms of one tensor; called in the order of the keys.
  mutating func add(histograms: UnsafeRawBufferPointer, at offset: Int64) throws(CodecError) {
    let tensor = UInt32(truncatingIfNeeded: offset)
    for entry in try HistogramChunkCodec.read(histograms, inflater) {
      guard entry.row < rows.count else {
        throw .unexpected("histograms", expected: "rows below \(rows.count)", found: "\(entry.row)")
      }
      switch entry.histogram {
      case .exponential(let histogram):
        var column = rows[entry.row].exponential ?? ExponentialHistogramColumn()
        if column.zeroCount.isEmpty { column.scale = histogram.scale }
        guard column.scale == histogram.scale else {
          throw .unexpected("scale", expected: "\(column.scale)", found: "\(histogram.scale)")
        }
        column.tensorIDs.append(tensor)
        column.append(histogram)
        rows[entry.row].exponential = column
      case .explicit(let histogram):
        var column = rows[entry.row].explicit ?? ExplicitHistogramColumn()
        column.bounds = histogram.bounds
        column.tensorIDs.append(tensor)
        column.counts += histogram.counts
        rows[entry.row].explicit = column
      }
    }
  }

  /// The reports of the first rows; those after them were rewound.
  ///
  /// - Parameters:
  ///   - count: The number of rows that count.
  ///   - tensors: The number of tensors of the model; a column of all of them names none.
  ///   - layers: The number of layers, likewise.
  /// - Returns: The reports, in step order.
  consuming func reports(first count: Int, tensors: Int, layers: Int) -> [LoggedReport] {
    rows.indices.prefix(Swift.max(count, 0)).map { index in
      let row = rows[index]
      var report = StepReport(sequence: axis.sequences[index], scalars: scalars[index].scalars)
      report.gradients.tensorIDs = Self.named(row.indices[ColumnGroup.gradients.rawValue], tensors)
      report.parameters.tensorIDs = Self.named(
        row.indices[ColumnGroup.parameters.rawValue],
        tensors
      )
      report.activations.layerIDs = Self.named(
        row.indices[ColumnGroup.activations.rawValue],
        layers
      )
      for (metric, values) in row.floats { metric.set(values, in: &report) }
      for (metric, values) in row.counts { metric.set(values, in: &report) }
      report.histograms = row.exponential
      report.histograms?.tensorIDs = Self.named(row.exponential?.tensorIDs ?? [], tensors)
      report.explicitHistograms = row.explicit
      report.explicitHistograms?.tensorIDs = Self.named(row.explicit?.tensorIDs ?? [], tensors)
      report.timeStepNorms = profiles[index]
      return LoggedReport(
        report: report,
        receivedAt: scalars[index].receivedAt,
        rewinds: scalars[index].rewinds
      )
    }
  }

  private static func named(_ indices: [UInt32], _ all: Int) -> [UInt32] {
    indices.count == all ? [] : indices
  }
}
