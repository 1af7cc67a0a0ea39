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
    ///
    /// Empty, as the next three may be, if it was not asked for.
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

    /// The means of some points.
    func means(at places: Range<Int>) -> [Double] {
      metric.isCount
        ? mean[places].map(Double.init(bitPattern:)) : metric.numbers(mean[places])
    }

    /// Checks that every point sums up something, and no more than can be added to others.
    fileprivate func check() throws(CodecError) {
      for (count, nonFinite) in zip(count, nonFiniteCount) {
        guard (1...Self.maximumCount).contains(count), nonFinite <= count else {
          throw .unexpected(
            "measurements of \(metric)",
            expected: "1 to \(Self.maximumCount), as many of them not finite at most",
            found: "\(count) and \(nonFinite)"
          )
        }
      }
    }

    /// More than there are reports in a run, and far below where sums overflow.
    private static let maximumCount: UInt64 = 1 << 48
  }

  /// The six columns, in the order of the file.
  fileprivate enum Part: CaseIterable {
    case min, max, mean, last, count, nonFiniteCount

    /// What it is to readers; `nil`: they always need it.
    var statistic: SeriesPoints.Statistic? {
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
        ChunkCodec.Column(metric: $0.metric, rows: $0.rows, bits: $0[part])
      }
      ChunkCodec.write(columns, rows: rows, to: &writer, deflater)
      writer.replace(at: size, with: UInt32(writer.count - size - 4))
    }
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
    _ statistics: Set<SeriesPoints.Statistic>,
    rows: Int,
    from bytes: UnsafeRawBufferPointer,
    _ inflater: Inflater
  ) throws(CodecError) -> Series? {
    var reader = ByteReader(bytes)
    var found: Series?
    for part in Part.allCases {
      let chunk = try next(&reader, bytes)
      guard part.statistic.map(statistics.contains) ?? true else { continue }
      guard let column = try ChunkCodec.read(metric, rows: rows, from: chunk, inflater) else {
        return nil
      }
      var series = found ?? Series(metric: metric, rows: column.rows)
      try series.set(column, part)
      found = series
    }
    try reader.finish()
    try found?.check()
    return found
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
      for (index, column) in columns.enumerated() { try all[index].set(column, part) }
    }
    try reader.finish()
    for series in all { try series.check() }
    return all
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

extension RollupChunkCodec.Series {
  fileprivate subscript(part: RollupChunkCodec.Part) -> [UInt64] {
    switch part {
    case .min: min
    case .max: max
    case .mean: mean
    case .last: last
    case .count: count
    case .nonFiniteCount: nonFiniteCount
    }
  }

  fileprivate mutating func set(
    _ column: ChunkCodec.Column,
    _ part: RollupChunkCodec.Part
  ) throws(CodecError) {
    guard metric == column.metric, rows == column.rows else {
      throw .unexpected(
        "\(column.metric)",
        expected: "the points of \(metric) in all columns",
        found: "others"
      )
    }
    switch part {
    case .min: min = column.bits
    case .max: max = column.bits
    case .mean: mean = column.bits
    case .last: last = column.bits
    case .count: count = column.bits
    case .nonFiniteCount: nonFiniteCount = column.bits
    }
  }
}
