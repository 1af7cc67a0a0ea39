package import Telemetry

/// The bytes that all tensors of a segment share: which steps it holds, and what was said of each.
///
/// Three blobs: the *axis* (steps and sequence numbers) is read with every chunk, so it is small
/// and alone; the *scalars* are read for a timeline of losses; the norms through time are kept so
/// that nothing accepted is lost. `Format.md` draws them.
package enum SegmentCodec {
  /// The rows of a segment: both arrays are equally long and ascend strictly.
  package struct Axis: Equatable {
    /// The step of each row.
    package var steps: [UInt64]
    /// The sequence number of each row's report.
    package var sequences: [UInt64]

    /// Makes an axis.
    package init(steps: [UInt64] = [], sequences: [UInt64] = []) {
      self.steps = steps
      self.sequences = sequences
    }
  }

  /// What the log held of one report beside its columns.
  package struct Row: Equatable {
    /// The report's scalars.
    package var scalars: StepScalars
    /// When it arrived, by the collector's clock.
    package var receivedAt: WallTime
    /// Whether the producer went back with it.
    package var rewinds: Bool

    /// Makes a row.
    package init(scalars: StepScalars, receivedAt: WallTime, rewinds: Bool) {
      self.scalars = scalars
      self.receivedAt = receivedAt
      self.rewinds = rewinds
    }
  }

  /// Appends an axis.
  ///
  /// - Precondition: 1 to 256 rows.
  package static func write(_ axis: Axis, to writer: inout ByteWriter) {
    precondition(
      axis.steps.count == axis.sequences.count && !axis.steps.isEmpty
        && axis.steps.count <= RowSet.maximumRows,
      "1 to 256 rows"
    )
    BlobFrame.write(to: &writer) { (writer: inout ByteWriter) in
      writer.append(UInt16(axis.steps.count))
      for numbers in [axis.steps, axis.sequences] {
        writer.append(numbers[0])
        IntegerColumn.write(zip(numbers, numbers.dropFirst()).map { $1 &- $0 &- 1 }, to: &writer)
      }
    }
  }

  /// Reads an axis.
  ///
  /// - Throws: ``CodecError`` for any bytes that ``write(_:to:)`` doesn't write.
  package static func readAxis(_ bytes: UnsafeRawBufferPointer) throws(CodecError) -> Axis {
    var reader = try BlobFrame.open(bytes)
    let count = try readRowCount(from: &reader)
    let steps = try readAscending(count, from: &reader)
    let axis = Axis(steps: steps, sequences: try readAscending(count, from: &reader))
    try reader.finish()
    return axis
  }

  /// Reads the steps of an axis, which is all of it that a timeline needs.
  ///
  /// - Throws: As ``readAxis(_:)``.
  static func readSteps(_ bytes: UnsafeRawBufferPointer) throws(CodecError) -> [UInt64] {
    var reader = try BlobFrame.open(bytes)
    let count = try readRowCount(from: &reader)
    return try readAscending(count, from: &reader)
  }

  /// Appends the rows' scalars, compressed if there is a deflater.
  package static func write(_ rows: [Row], to writer: inout ByteWriter, _ deflater: Deflater?) {
    BlobFrame.write(to: &writer, deflater) { (writer: inout ByteWriter) in
      writer.append(UInt16(rows.count))
      for row in rows {
        writer.append(row.receivedAt.seconds)
        writer.append(UInt8(row.rewinds ? 1 : 0))
        ScalarsCodec.write(row.scalars, to: &writer)
      }
    }
  }

  /// Reads the rows' scalars.
  ///
  /// - Throws: ``CodecError`` for any bytes that ``write(_:to:_:)`` doesn't write.
  package static func readRows(
    _ bytes: UnsafeRawBufferPointer,
    _ inflater: Inflater
  ) throws(CodecError) -> [Row] {
    var reader = try BlobFrame.open(bytes, inflater)
    let count = Int(try reader.read(UInt16.self))
    var rows: [Row] = []
    for _ in 0..<count {
      let receivedAt = WallTime(clamping: try reader.readDouble())
      let rewinds = try reader.readFlag()
      rows.append(
        Row(
          scalars: try ScalarsCodec.read(from: &reader),
          receivedAt: receivedAt,
          rewinds: rewinds
        )
      )
    }
    try reader.finish()
    return rows
  }

  /// Reads the scalars of as many rows as the segment has.
  ///
  /// - Throws: As ``readRows(_:_:)``.
  static func readRows(
    _ bytes: UnsafeRawBufferPointer,
    count: Int,
    _ inflater: Inflater
  ) throws(CodecError) -> [Row] {
    let rows = try readRows(bytes, inflater)
    guard rows.count == count else {
      throw .unexpected("rows", expected: "\(count)", found: "\(rows.count)")
    }
    return rows
  }

  /// Appends the rows' norms through time, compressed if there is a deflater.
  package static func write(
    _ profiles: [[TimeStepNorms]],
    to writer: inout ByteWriter,
    _ deflater: Deflater?
  ) {
    BlobFrame.write(to: &writer, deflater) { (writer: inout ByteWriter) in
      writer.append(UInt16(profiles.count))
      for row in profiles { TimeStepNormsCodec.write(row, to: &writer) }
    }
  }

  /// Reads the rows' norms through time.
  ///
  /// - Throws: ``CodecError`` for any bytes that ``write(_:to:_:)`` doesn't write.
  package static func readTimeStepNorms(
    _ bytes: UnsafeRawBufferPointer,
    _ inflater: Inflater
  ) throws(CodecError) -> [[TimeStepNorms]] {
    var reader = try BlobFrame.open(bytes, inflater)
    let count = Int(try reader.read(UInt16.self))
    var profiles: [[TimeStepNorms]] = []
    for _ in 0..<count { profiles.append(try TimeStepNormsCodec.read(from: &reader)) }
    try reader.finish()
    return profiles
  }

  private static func readRowCount(from reader: inout ByteReader) throws(CodecError) -> Int {
    let count = Int(try reader.read(UInt16.self))
    guard count >= 1, count <= RowSet.maximumRows else {
      throw .unexpected("rows", expected: "1 to \(RowSet.maximumRows)", found: "\(count)")
    }
    return count
  }

  /// Reads numbers that ascend strictly: the first, and what is between each two.
  private static func readAscending(
    _ count: Int,
    from reader: inout ByteReader
  ) throws(CodecError) -> [UInt64] {
    let first = try reader.read(UInt64.self)
    let gaps = try IntegerColumn(count - 1, from: &reader)
    if gaps.isZero, first <= UInt64.max - UInt64(count) {
      return Array(first..<first + UInt64(count))
    }
    var numbers = [first]
    numbers.reserveCapacity(count)
    for index in 0..<count - 1 {
      let gap = gaps.value(index, in: reader.bytes)
      let (next, overflow) = numbers[index].addingReportingOverflow(gap)
      guard !overflow, next < UInt64.max else {
        throw .unexpected("row \(index + 1)", expected: "at most 2^64-1", found: "more")
      }
      numbers.append(next + 1)
    }
    return numbers
  }
}
