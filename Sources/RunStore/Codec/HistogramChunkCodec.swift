package import Telemetry

/// The bytes of one tensor's histograms in up to 256 consecutive rows of a segment.
///
/// Only rows that have a histogram are in it. Counts stand in columns, one a bucket, each as narrow as its values allow: what the
/// bits of a count are is noise mostly, and how many of them there are is not. `Format.md` draws it.
package enum HistogramChunkCodec {
  /// The version that is written.
  private static let version: UInt8 = 3

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
    /// One exponential histogram.
    private struct Exponential {
      var row: UInt8
      var scale: Int32
      var zeroCount: UInt64
      var positiveOffset: Int32
      var positiveLength: UInt32
      var negativeOffset: Int32
      var negativeLength: UInt32
      var counts: BucketColumns.Source
    }

    private var exponential: [Exponential] = []
    private var explicitRows: [UInt8] = []
    private var bounds: [[Double]] = []
    private var boundsIndex: [UInt32] = []
    private var explicit: [BucketColumns.Source] = []

    /// Whether nothing was added.
    var isEmpty: Bool { exponential.isEmpty && explicitRows.isEmpty }

    /// Adds the exponential histogram at `position` of a row of the log, which must live until the writing.
    mutating func append(
      _ column: LogHistograms.Exponential,
      at position: Int,
      in bytes: UnsafeRawBufferPointer,
      _ countBytes: UnsafeRawBufferPointer,
      row: Int
    ) throws(CodecError) {
      exponential.append(
        Exponential(
          row: UInt8(row),
          scale: column.scale,
          zeroCount: column.zeroCount.value(position, in: bytes),
          positiveOffset: try column.positiveOffset.signed(position, in: bytes),
          positiveLength: UInt32(
            truncatingIfNeeded: column.positiveLength.value(position, in: bytes)
          ),
          negativeOffset: try column.negativeOffset.signed(position, in: bytes),
          negativeLength: UInt32(
            truncatingIfNeeded: column.negativeLength.value(position, in: bytes)
          ),
          counts: .init(column: column.form.counts[position], bytes: countBytes)
        )
      )
    }

    /// Adds the histogram with bounds of the client's choice at `position`, likewise.
    mutating func append(
      _ column: LogHistograms.Explicit,
      at position: Int,
      in bytes: UnsafeRawBufferPointer,
      _ countBytes: UnsafeRawBufferPointer,
      row: Int
    ) {
      let found = column.bounds(in: bytes)
      if bounds.last.map({ !sameBits($0, found) }) ?? true { bounds.append(found) }
      explicitRows.append(UInt8(row))
      boundsIndex.append(UInt32(bounds.count - 1))
      explicit.append(.init(column: column.form.counts[position], bytes: countBytes))
    }

    /// Appends the chunk to `writer`, and forgets what was added.
    mutating func write(to writer: inout ByteWriter) {
      BlobFrame.write(to: &writer, version: version) { (writer: inout ByteWriter) in
        let positive = BucketLayout.Side(
          offsets: exponential.map(\.positiveOffset),
          lengths: exponential.map(\.positiveLength)
        )
        let negative = BucketLayout.Side(
          offsets: exponential.map(\.negativeOffset),
          lengths: exponential.map(\.negativeLength)
        )
        writer.append(UInt16(exponential.count))
        PackedColumn.write(gaps(exponential.map(\.row)), to: &writer)
        PackedColumn.write(signed: exponential.map(\.scale), to: &writer)
        PackedColumn.write(exponential.map(\.zeroCount), to: &writer)
        PackedColumn.write(signed: positive.offsets, to: &writer)
        PackedColumn.write(positive.lengths, to: &writer)
        PackedColumn.write(signed: negative.offsets, to: &writer)
        PackedColumn.write(negative.lengths, to: &writer)
        let buckets = BucketLayout(narrowest: positive, negative)
        writer.append(UInt8(buckets.isAligned ? 1 : 0))
        writer.append(UInt16(bounds.count))
        for set in bounds { writer.append(counted: set) }
        writer.append(UInt16(explicitRows.count))
        PackedColumn.write(gaps(explicitRows), to: &writer)
        PackedColumn.write(boundsIndex, to: &writer)
        BucketColumns.write(buckets, exponential.map(\.counts), to: &writer)
        let lengths = boundsIndex.map { UInt32(bounds[Int($0)].count + 1) }
        BucketColumns.write(BucketLayout(explicit: lengths), explicit, to: &writer)
        for _ in 0..<PackedColumn.slack { writer.append(UInt8(0)) }
      }
      removeAll()
    }

    /// Forgets what was added, and keeps the memory for the next tensor.
    private mutating func removeAll() {
      exponential.removeAll(keepingCapacity: true)
      explicitRows.removeAll(keepingCapacity: true)
      bounds.removeAll(keepingCapacity: true)
      boundsIndex.removeAll(keepingCapacity: true)
      explicit.removeAll(keepingCapacity: true)
    }

    /// The rows, which ascend: the first, and for each other one how many were left out before it.
    private func gaps(_ rows: [UInt8]) -> [UInt8] {
      guard let first = rows.first else { return [] }
      return [first] + zip(rows, rows.dropFirst()).map { $1 - $0 - 1 }
    }

    private func sameBits(_ lhs: [Double], _ rhs: [Double]) -> Bool {
      lhs.count == rhs.count && zip(lhs, rhs).allSatisfy { $0.bitPattern == $1.bitPattern }
    }
  }

  /// Reads all histograms, by row, at one row the exponential one first.
  ///
  /// - Throws: ``CodecError`` for any bytes that ``Builder/write(to:)`` doesn't write, or never wrote.
  package static func read(
    _ bytes: UnsafeRawBufferPointer,
    _ inflater: Inflater
  ) throws(CodecError) -> [Entry] {
    var entries: [Entry] = []
    try HistogramChunkReader(bytes, inflater).forEach { row, view in
      entries.append(Entry(row: row, histogram: view.histogram))
    }
    return entries
  }
}
