package import Telemetry

/// The bytes of one tensor's histograms in up to 256 consecutive rows of a segment.
///
/// Only rows that have a histogram are in it. What is small stands in columns, one value a histogram; then come the widths of
/// all runs of counts, and then the counts: apart, because widths repeat and counts hardly do, so that zstd takes half the time
/// and leaves less than of runs one after the other, as version 1 had them. `Format.md` draws it.
package enum HistogramChunkCodec {
  /// The version that is written.
  private static let version: UInt8 = 2

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
    private var exponentialRuns: [Run] = []
    private var explicitRows: [UInt8] = []
    private var bounds: [[Double]] = []
    private var boundsIndex: [UInt32] = []
    private var explicitRuns: [Run] = []

    /// A run of counts in the log.
    private struct Run {
      var bytes: UnsafeRawBufferPointer
      /// The bytes that the widths take.
      var widths: Int
    }

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
      let positive = UInt32(truncatingIfNeeded: column.positiveLength.value(position, in: bytes))
      let negative = UInt32(truncatingIfNeeded: column.negativeLength.value(position, in: bytes))
      positiveLength.append(positive)
      negativeOffset.append(try column.negativeOffset.signed(position, in: bytes))
      negativeLength.append(negative)
      exponentialRuns.append(
        Run(
          bytes: column.form.run(position, in: bytes),
          widths: CountRun.widthsSize(Int(positive) + Int(negative))
        )
      )
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
      explicitRuns.append(
        Run(
          bytes: column.form.run(position, in: bytes),
          widths: CountRun.widthsSize(column.bounds.count + 1)
        )
      )
    }

    /// Appends the chunk to `writer`, compressed if there is a deflater, and forgets what was added.
    mutating func write(to writer: inout ByteWriter, _ deflater: Deflater?) {
      let runs = exponentialRuns + explicitRuns
      BlobFrame.write(to: &writer, deflater, version: version) { (writer: inout ByteWriter) in
        writer.append(UInt16(rows.count))
        writer.append(elements: rows)
        IntegerColumn.write(signed: scale, to: &writer)
        IntegerColumn.write(zeroCount, to: &writer)
        IntegerColumn.write(signed: positiveOffset, to: &writer)
        IntegerColumn.write(positiveLength, to: &writer)
        IntegerColumn.write(signed: negativeOffset, to: &writer)
        IntegerColumn.write(negativeLength, to: &writer)
        writer.append(UInt16(bounds.count))
        for set in bounds { writer.append(counted: set) }
        writer.append(UInt16(explicitRows.count))
        writer.append(elements: explicitRows)
        IntegerColumn.write(boundsIndex, to: &writer)
        for run in runs {
          writer.append(UnsafeRawBufferPointer(rebasing: run.bytes[..<run.widths]))
        }
        for run in runs {
          writer.append(UnsafeRawBufferPointer(rebasing: run.bytes[run.widths...]))
        }
      }
      self = Builder()
    }

    private func sameBits(_ lhs: [Double], _ rhs: [Double]) -> Bool {
      lhs.count == rhs.count && zip(lhs, rhs).allSatisfy { $0.bitPattern == $1.bitPattern }
    }
  }

  /// Reads all histograms, by row, at one row the exponential one first.
  ///
  /// - Throws: ``CodecError`` for any bytes that ``Builder/write(to:_:)`` doesn't write, or never wrote.
  package static func read(
    _ bytes: UnsafeRawBufferPointer,
    _ inflater: Inflater
  ) throws(CodecError) -> [Entry] {
    var entries: [Entry] = []
    try HistogramChunkReader(bytes, inflater).forEach { row, histogram in
      switch histogram {
      case .exponential(let view):
        entries.append(Entry(row: row, histogram: .exponential(ExponentialHistogram(view))))
      case .explicit(let histogram):
        entries.append(Entry(row: row, histogram: .explicit(histogram)))
      }
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
