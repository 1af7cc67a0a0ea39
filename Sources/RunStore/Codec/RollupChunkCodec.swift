package import Telemetry

/// The bytes of up to 256 consecutive points of one tensor or layer in a rollup.
///
/// Six chunks end to end, each behind its size in 4 bytes: minimum, maximum, mean, last value, number of measurements, and how
/// many of them were not finite. `Format.md` draws it.
package enum RollupChunkCodec {
  /// One metric: for the points in `rows`, in order, what they sum up.
  package struct Series: Equatable {
    /// The metric.
    package var metric: Metric
    /// The points that have a measurement.
    package var rows: RowSet
    /// The smallest finite value, as bits of the metric; NaN of a float: there was none.
    package var min: [UInt64] = []
    /// The largest finite value, likewise.
    package var max: [UInt64] = []
    /// The mean of the finite values, as bits of a float, or of a Double if the metric is a count; NaN likewise.
    package var mean: [UInt64] = []
    /// The last value, bit for bit.
    package var last: [UInt64] = []
    /// The number of measurements.
    package var count: [UInt64] = []
    /// The number of those that are NaN or infinite.
    package var nonFiniteCount: [UInt64] = []

    /// Makes a series without points.
    package init(metric: Metric, rows: RowSet = RowSet()) {
      self.metric = metric
      self.rows = rows
    }

    /// The mean of the point at `position`.
    func mean(at position: Int) -> Double {
      metric.isCount ? Double(bitPattern: mean[position]) : metric.number(mean[position])
    }

    /// Makes room for some points.
    mutating func reserveCapacity(_ count: Int) {
      for part in Part.allCases { self[keyPath: part.values].reserveCapacity(count) }
    }
  }

  /// The six columns, in the order of the file.
  private enum Part: CaseIterable {
    case min, max, mean, last, count, nonFiniteCount

    /// Where a series has it.
    var values: WritableKeyPath<Series, [UInt64]> {
      switch self {
      case .min: \.min
      case .max: \.max
      case .mean: \.mean
      case .last: \.last
      case .count: \.count
      case .nonFiniteCount: \.nonFiniteCount
      }
    }

    /// What it is to readers; `nil`: they always need it.
    var statistic: SeriesPoints.Statistics? {
      switch self {
      case .min: .min
      case .max: .max
      case .mean: .mean
      case .last: .last
      case .count, .nonFiniteCount: nil
      }
    }
  }

  /// Appends the points of one tensor or layer.
  ///
  /// - Precondition: 1 to 256 points; every series has at least one, and as many values in each column as points.
  package static func write(
    _ series: [Series],
    rows: Int,
    to writer: inout ByteWriter,
    _ deflater: Deflater?
  ) {
    for part in Part.allCases {
      let size = writer.count
      writer.append(UInt32(0))
      let columns = series.map {
        ChunkCodec.Column(metric: $0.metric, rows: $0.rows, bits: $0[keyPath: part.values])
      }
      ChunkCodec.write(columns, rows: rows, to: &writer, deflater)
      writer.replace(at: size, with: UInt32(writer.count - size - 4))
    }
  }

  /// One metric's points, as numbers.
  package struct Points {
    /// The points of the rollup that have a measurement.
    package var rows = RowSet()
    /// What they say, without their steps, which the rollup's axis has.
    package var values = SeriesPoints()
  }

  /// Reads some statistics of one metric's points, and checks no others.
  ///
  /// - Parameters:
  ///   - metric: The metric.
  ///   - statistics: What to read besides the numbers of measurements.
  ///   - rows: The number of points that the rollup has.
  ///   - bytes: What ``write(_:rows:to:_:)`` wrote.
  ///   - inflater: Where compressed columns are taken apart.
  /// - Returns: The points; `nil` if the metric was not measured in any.
  /// - Throws: ``CodecError`` for any other bytes.
  package static func read(
    _ metric: Metric,
    _ statistics: SeriesPoints.Statistics,
    rows: Int,
    from bytes: UnsafeRawBufferPointer,
    _ inflater: Inflater
  ) throws(CodecError) -> Points? {
    let form: StoredColumn.Form = metric.isCount ? .integer : .float
    var reader = ByteReader(bytes)
    var points = Points()
    var isFirst = true
    // Of numbers that are the same in all points, as nearly always, one is checked.
    var (count, nonFiniteCount): (UInt64?, UInt64?)
    for part in Part.allCases {
      let chunk = try next(&reader, bytes)
      guard part.statistic.map(statistics.contains) ?? true else { continue }
      guard let column = try ChunkCodec.stored(metric, rows: rows, in: chunk, inflater) else {
        return nil
      }
      if isFirst { points.rows = column.rows }
      isFirst = false
      guard points.rows == column.rows else { throw otherPoints(metric) }
      switch part {
      case .min: points.values.min = column.numbers(form)
      case .max: points.values.max = column.numbers(form)
      case .mean: points.values.mean = column.numbers(metric.isCount ? .double : .float)
      case .last: points.values.last = column.numbers(form)
      case .count:
        count = column.constant
        points.values.count = bits(of: column, inflater)
      case .nonFiniteCount:
        nonFiniteCount = column.constant
        points.values.nonFiniteCount = bits(of: column, inflater)
      }
    }
    try reader.finish()
    if let count, let nonFiniteCount, !points.values.count.isEmpty {
      try RollupPoint.check([count], [nonFiniteCount], of: "\(metric)")
    } else {
      try RollupPoint.check(points.values.count, points.values.nonFiniteCount, of: "\(metric)")
    }
    return points
  }

  /// Reads all metrics' points.
  ///
  /// - Throws: As ``read(_:_:rows:from:_:)``.
  package static func readAll(
    rows: Int,
    from bytes: UnsafeRawBufferPointer,
    _ inflater: Inflater
  ) throws(CodecError) -> [Series] {
    var reader = ByteReader(bytes)
    var all: [Series] = []
    for part in Part.allCases {
      let columns = try ChunkCodec.readAll(rows: rows, from: try next(&reader, bytes), inflater)
      if part == .min { all = columns.map { Series(metric: $0.metric, rows: $0.rows) } }
      guard columns.count == all.count else {
        throw .unexpected("metrics", expected: "\(all.count)", found: "\(columns.count)")
      }
      for (index, column) in columns.enumerated() {
        guard all[index].metric == column.metric, all[index].rows == column.rows else {
          throw otherPoints(all[index].metric)
        }
        all[index][keyPath: part.values] = column.bits
      }
    }
    try reader.finish()
    for series in all {
      try RollupPoint.check(series.count, series.nonFiniteCount, of: "\(series.metric)")
    }
    return all
  }

  private static func bits(of column: StoredColumn, _ inflater: Inflater) -> [UInt64] {
    column.constant.map { inflater.repeating($0, count: column.count) } ?? column.bits
  }

  private static func otherPoints(_ metric: Metric) -> CodecError {
    .unexpected("\(metric)", expected: "the same points in all columns", found: "others")
  }

  private static func next(
    _ reader: inout ByteReader,
    _ bytes: UnsafeRawBufferPointer
  ) throws(CodecError) -> UnsafeRawBufferPointer {
    let size = try reader.readCount()
    let start = try reader.take(size)
    return UnsafeRawBufferPointer(rebasing: bytes[start..<start + size])
  }
}
