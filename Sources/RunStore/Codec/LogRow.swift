import Telemetry

/// A report's body in the log, checked and found its way around in, but not decoded.
///
/// A timeline reads one value of it, sealing moves its columns into chunks, and only a replay
/// decodes it as a whole. It refers to the bytes that it was made from and lives no longer than
/// they do.
struct LogRow {
  /// The column of one metric.
  struct Column {
    let metric: Metric
    /// The number of values.
    let count: Int
    fileprivate let bytes: UnsafeRawBufferPointer
    /// The first float; unused for counts.
    fileprivate let start: Int
    /// The counts; `nil` for floats.
    fileprivate let integers: IntegerColumn?

    /// Where the values start, unaligned and ``count`` long; `nil` if they are counts, or there is none.
    var floats: UnsafeRawPointer? { integers == nil ? bytes.baseAddress.map { $0 + start } : nil }

    /// The bits of one value.
    ///
    /// - Precondition: `position` is below ``count``.
    @inline(__always)
    func bits(at position: Int) -> UInt64 {
      if let integers { return integers.value(position, in: bytes) }
      precondition(position >= 0 && position < count, "a position beyond the column")
      return UInt64(bytes.loadUnaligned(fromByteOffset: start &+ 4 &* position, as: UInt32.self))
    }
  }

  /// The report's sequence number.
  let sequence: UInt64
  /// The columns that were measured.
  let columns: [Column]

  private let bytes: UnsafeRawBufferPointer
  private let scalarsStart: Int
  private let scalarsEnd: Int
  /// Start and count of the indices of each group.
  private let indices: [(start: Int, count: Int)]
  private let profilesStart: Int
  private let end: Int

  /// Checks a body.
  init(_ bytes: UnsafeRawBufferPointer) throws(CodecError) {
    var reader = try BlobFrame.open(bytes)
    self.bytes = bytes
    end = reader.end
    sequence = try reader.read()
    let length = try reader.readCount()
    scalarsStart = try reader.take(length)
    scalarsEnd = reader.position
    var indices: [(start: Int, count: Int)] = []
    for group in ColumnGroup.allCases {
      let count = try reader.readEntryCount(atLeast: 4)
      let start = try reader.take(4 * count)
      let named = (0..<count).lazy.map {
        bytes.loadUnaligned(fromByteOffset: start + 4 * $0, as: UInt32.self)
      }
      try LogRowCodec.checkIndices(named, of: "\(group)")
      indices.append((start, count))
    }
    self.indices = indices
    columns = try Self.readColumns(from: &reader, indices: indices)
    profilesStart = reader.position
  }

  /// What the report says of the step as a whole.
  func scalars() throws(CodecError) -> StepScalars {
    var reader = ByteReader(bytes, from: scalarsStart, to: scalarsEnd)
    let scalars = try ScalarsCodec.read(from: &reader)
    try reader.finish()
    return scalars
  }

  /// The report's norms through time.
  func timeStepNorms() throws(CodecError) -> [TimeStepNorms] {
    var reader = ByteReader(bytes, from: profilesStart, to: end)
    let profiles = try TimeStepNormsCodec.read(from: &reader)
    try reader.finish()
    return profiles
  }

  /// The column of a metric; `nil` if it was not measured.
  func column(of metric: Metric) -> Column? { columns.first { $0.metric == metric } }

  /// The bits of one metric of one tensor or layer; `nil` if it was not measured.
  func bits(of metric: Metric, index: UInt32) -> UInt64? {
    guard let column = column(of: metric),
      let position = position(of: index, in: metric.group), position < column.count
    else { return nil }
    return column.bits(at: position)
  }

  /// For each value of a group's columns the tensor or layer, if they don't speak of all.
  func indices(of group: ColumnGroup) -> [UInt32]? {
    let (start, count) = indices[group.rawValue]
    guard count > 0 else { return nil }
    return (0..<count).map {
      bytes.loadUnaligned(fromByteOffset: start + 4 * $0, as: UInt32.self)
    }
  }

  /// The report, without its histograms.
  func report() throws(CodecError) -> StepReport {
    var report = StepReport(sequence: sequence, scalars: try scalars())
    report.gradients.tensorIDs = indices(of: .gradients) ?? []
    report.parameters.tensorIDs = indices(of: .parameters) ?? []
    report.activations.layerIDs = indices(of: .activations) ?? []
    for column in columns {
      if let integers = column.integers {
        column.metric.set(integers.values(in: bytes), in: &report)
      } else {
        var reader = ByteReader(bytes, from: column.start)
        column.metric.set(try reader.readElements(column.count, of: Float.self), in: &report)
      }
    }
    report.timeStepNorms = try timeStepNorms()
    return report
  }

  /// Where the value of a tensor or layer stands in its group's columns.
  private func position(of index: UInt32, in group: ColumnGroup) -> Int? {
    let (start, count) = indices[group.rawValue]
    guard count > 0 else { return Int(index) }
    return (0..<count).last {
      bytes.loadUnaligned(fromByteOffset: start + 4 * $0, as: UInt32.self) == index
    }
  }

  private static func readColumns(
    from reader: inout ByteReader,
    indices: [(start: Int, count: Int)]
  ) throws(CodecError) -> [Column] {
    let number = Int(try reader.read(UInt8.self))
    var columns: [Column] = []
    columns.reserveCapacity(number)
    for _ in 0..<number {
      let metric = try reader.readCase(of: Metric.self)
      if let last = columns.last?.metric, last.rawValue >= metric.rawValue {
        throw .unexpected("column", expected: "one above \(last)", found: "\(metric)")
      }
      let count = try reader.readCount()
      let named = indices[metric.group.rawValue].count
      guard named == 0 ? count <= Model.maximumCount : count == named else {
        throw .unexpected(
          "\(metric)",
          expected: named == 0 ? "at most \(Model.maximumCount) values" : "\(named)",
          found: "\(count)"
        )
      }
      if metric.isCount {
        let integers = try IntegerColumn(count, from: &reader)
        columns.append(
          Column(
            metric: metric,
            count: count,
            bytes: reader.bytes,
            start: 0,
            integers: integers
          )
        )
      } else {
        let start = try reader.take(4 * count)
        columns.append(
          Column(metric: metric, count: count, bytes: reader.bytes, start: start, integers: nil)
        )
      }
    }
    return columns
  }
}
