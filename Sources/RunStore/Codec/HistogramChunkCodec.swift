package import Telemetry

/// The bytes of one tensor's histograms in up to 256 consecutive rows of a segment.
///
/// Only rows that have a histogram are in it. What is small stands in columns, one value a
/// histogram; the counts follow as runs, as they stood in the log. `Format.md` draws it.
package enum HistogramChunkCodec {
  /// One histogram and its row.
  package struct Entry: Equatable {
    /// The row of the segment, from 0.
    package var row: Int
    /// The histogram.
    package var histogram: GradientHistogram

    /// Makes an entry.
    package init(row: Int, histogram: GradientHistogram) {
      self.row = row
      self.histogram = histogram
    }
  }

  /// Gathers the histograms of one tensor, row by row, and writes them.
  struct Builder {
    private var rows: [UInt8] = []
    private var scale: [Int32] = []
    private var zeroCount: [UInt64] = []
    private var positiveOffset: [Int32] = []
    private var positiveLength: [UInt32] = []
    private var negativeOffset: [Int32] = []
    private var negativeLength: [UInt32] = []
    private var runs: [UnsafeRawBufferPointer] = []
    private var explicitRows: [UInt8] = []
    private var bounds: [[Double]] = []
    private var boundsIndex: [UInt32] = []
    private var explicitRuns: [UnsafeRawBufferPointer] = []

    /// Whether nothing was added.
    var isEmpty: Bool { rows.isEmpty && explicitRows.isEmpty }

    /// Adds the exponential histogram at `position` of a row of the log, whose bytes must live
    /// until the writing.
    mutating func append(
      _ column: LogHistograms.Exponential,
      at position: Int,
      in bytes: UnsafeRawBufferPointer,
      row: Int
    ) throws(CodecError) {
      rows.append(UInt8(row))
      scale.append(column.scale)
      zeroCount.append(column.zeroCount.value(position, in: bytes))
      positiveOffset.append(try column.positiveOffset.signed(position, in: bytes))
      positiveLength.append(
        UInt32(truncatingIfNeeded: column.positiveLength.value(position, in: bytes))
      )
      negativeOffset.append(try column.negativeOffset.signed(position, in: bytes))
      negativeLength.append(
        UInt32(truncatingIfNeeded: column.negativeLength.value(position, in: bytes))
      )
      runs.append(column.form.run(position, in: bytes))
    }

    /// Adds the histogram with bounds of the client's choice at `position`, likewise.
    mutating func append(
      _ column: LogHistograms.Explicit,
      at position: Int,
      in bytes: UnsafeRawBufferPointer,
      row: Int
    ) {
      if bounds.last.map({ !sameBits($0, column.bounds) }) ?? true { bounds.append(column.bounds) }
      explicitRows.append(UInt8(row))
      boundsIndex.append(UInt32(bounds.count - 1))
      explicitRuns.append(column.form.run(position, in: bytes))
    }

    /// Appends the chunk to `writer`, compressed if there is a deflater, and forgets what was added.
    mutating func write(to writer: inout ByteWriter, _ deflater: Deflater?) {
      BlobFrame.write(to: &writer, deflater) { (writer: inout ByteWriter) in
        writer.append(UInt16(rows.count))
        writer.append(elements: rows)
        IntegerColumn.write(signed: scale, to: &writer)
        IntegerColumn.write(zeroCount, to: &writer)
        IntegerColumn.write(signed: positiveOffset, to: &writer)
        IntegerColumn.write(positiveLength, to: &writer)
        IntegerColumn.write(signed: negativeOffset, to: &writer)
        IntegerColumn.write(negativeLength, to: &writer)
        for run in runs { writer.append(run) }
        writer.append(UInt16(bounds.count))
        for set in bounds { writer.append(counted: set) }
        writer.append(UInt16(explicitRows.count))
        writer.append(elements: explicitRows)
        IntegerColumn.write(boundsIndex, to: &writer)
        for run in explicitRuns { writer.append(run) }
      }
      self = Builder()
    }

    private func sameBits(_ lhs: [Double], _ rhs: [Double]) -> Bool {
      lhs.count == rhs.count && zip(lhs, rhs).allSatisfy { $0.bitPattern == $1.bitPattern }
    }
  }

  /// Reads all histograms, by row, at one row the exponential one first.
  ///
  /// - Throws: ``CodecError`` for any bytes that ``Builder/write(to:_:)`` doesn't write.
  package static func read(
    _ bytes: UnsafeRawBufferPointer,
    _ inflater: Inflater
  ) throws(CodecError) -> [Entry] {
    var reader = try BlobFrame.open(bytes, inflater)
    let exponential = try readExponential(from: &reader)
    let explicit = try readExplicit(from: &reader)
    try reader.finish()
    guard !explicit.isEmpty else { return exponential }
    // Sorting is stable.
    return (exponential + explicit).sorted { $0.row < $1.row }
  }

  private static func readExponential(
    from reader: inout ByteReader
  ) throws(CodecError) -> [Entry] {
    let count = Int(try reader.read(UInt16.self))
    let rows = try reader.readElements(count, of: UInt8.self)
    let scale = try IntegerColumn(count, from: &reader)
    let zeroCount = try IntegerColumn(count, from: &reader)
    let positiveOffset = try IntegerColumn(count, from: &reader)
    let positiveLength = try IntegerColumn(count, from: &reader)
    let negativeOffset = try IntegerColumn(count, from: &reader)
    let negativeLength = try IntegerColumn(count, from: &reader)
    let bytes = reader.bytes
    var entries: [Entry] = []
    entries.reserveCapacity(count)
    for index in 0..<count {
      let positive = positiveLength.value(index, in: bytes)
      let length = try LogHistograms.length(
        positive,
        negativeLength.value(index, in: bytes),
        at: index
      )
      let counts = try CountRun.read(length, from: &reader)
      let histogram = ExponentialHistogram(
        scale: try scale.signed(index, in: bytes),
        zeroCount: zeroCount.value(index, in: bytes),
        positive: .init(
          offset: try positiveOffset.signed(index, in: bytes),
          counts: Array(counts.prefix(Int(positive)))
        ),
        negative: .init(
          offset: try negativeOffset.signed(index, in: bytes),
          counts: Array(counts.dropFirst(Int(positive)))
        )
      )
      entries.append(Entry(row: Int(rows[index]), histogram: .exponential(histogram)))
    }
    return entries
  }

  private static func readExplicit(from reader: inout ByteReader) throws(CodecError) -> [Entry] {
    var bounds: [[Double]] = []
    for _ in 0..<(try reader.read(UInt16.self)) { bounds.append(try reader.readCounted()) }
    let count = Int(try reader.read(UInt16.self))
    let rows = try reader.readElements(count, of: UInt8.self)
    let boundsIndex = try IntegerColumn(count, from: &reader)
    var entries: [Entry] = []
    for index in 0..<count {
      let set = boundsIndex.value(index, in: reader.bytes)
      guard set < UInt64(bounds.count) else {
        throw .unexpected(
          "histogram \(index)",
          expected: "bounds below \(bounds.count)",
          found: "\(set)"
        )
      }
      let counts = try CountRun.read(bounds[Int(set)].count + 1, from: &reader)
      entries.append(
        Entry(
          row: Int(rows[index]),
          histogram: .explicit(ExplicitHistogram(bounds: bounds[Int(set)], counts: counts))
        )
      )
    }
    return entries
  }
}

extension LogHistograms.Form {
  /// The bytes of one run of counts.
  fileprivate func run(_ position: Int, in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer
  {
    UnsafeRawBufferPointer(rebasing: bytes[runs[position]..<runs[position + 1]])
  }
}
