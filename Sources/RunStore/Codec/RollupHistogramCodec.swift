import Telemetry

/// The bytes of one tensor's merged histograms in a rollup.
///
/// Only points that have a histogram are in it; one has several entries if the client changed form or bounds within it.
package enum RollupHistogramCodec {
  /// Merged histograms and the point of the rollup that they belong to.
  package struct Entry: Equatable {
    /// The point, from 0.
    package var row: Int
    /// What was merged.
    package var point: HistogramPoint

    /// Makes an entry.
    package init(row: Int, point: HistogramPoint) {
      self.row = row
      self.point = point
    }
  }

  private enum Form {
    static let exponential: UInt8 = 0
    static let explicit: UInt8 = 1
  }

  /// Appends entries, in step order; compressed if there is a deflater.
  package static func write(
    _ entries: [Entry],
    to writer: inout ByteWriter,
    _ deflater: Deflater?
  ) {
    BlobFrame.write(to: &writer, deflater) { (writer: inout ByteWriter) in
      writer.append(UInt32(entries.count))
      for entry in entries {
        writer.append(UInt8(entry.row))
        writer.append(entry.point.firstStep)
        writer.append(entry.point.lastStep)
        writer.append(entry.point.mergedCount)
        switch entry.point.histogram {
        case .exponential(let histogram):
          writer.append(Form.exponential)
          writer.append(histogram.scale)
          writer.append(histogram.zeroCount)
          for side in [histogram.positive, histogram.negative] {
            writer.append(side.offset)
            writer.append(UInt32(side.counts.count))
            CountRun.write(side.counts, to: &writer)
          }
        case .explicit(let histogram):
          writer.append(Form.explicit)
          writer.append(counted: histogram.bounds)
          CountRun.write(histogram.counts, to: &writer)
        }
      }
    }
  }

  /// Reads entries.
  ///
  /// - Throws: ``CodecError`` for any bytes that ``write(_:to:_:)`` doesn't write.
  package static func read(
    _ bytes: UnsafeRawBufferPointer,
    _ inflater: Inflater
  ) throws(CodecError) -> [Entry] {
    var reader = try BlobFrame.open(bytes, inflater)
    let count = try reader.readEntryCount(atLeast: 26)
    var entries: [Entry] = []
    entries.reserveCapacity(count)
    for _ in 0..<count {
      let row = Int(try reader.read(UInt8.self))
      let first = try reader.read(UInt64.self)
      let last = try reader.read(UInt64.self)
      guard first <= last else {
        throw .unexpected("last step", expected: "\(first) or above", found: "\(last)")
      }
      let merged = try reader.read(UInt64.self)
      entries.append(
        Entry(
          row: row,
          point: HistogramPoint(
            firstStep: first,
            lastStep: last,
            mergedCount: merged,
            histogram: try readHistogram(&reader)
          )
        )
      )
    }
    try reader.finish()
    return entries
  }

  private static func readHistogram(
    _ reader: inout ByteReader
  ) throws(CodecError) -> GradientHistogram {
    switch try reader.read(UInt8.self) {
    case Form.exponential:
      let scale = try reader.read(Int32.self)
      guard ExponentialHistogram.scales.contains(scale) else {
        throw .unexpected(
          "scale",
          expected: "\(ExponentialHistogram.scales)",
          found: "\(scale)"
        )
      }
      let zeroCount = try reader.read(UInt64.self)
      return .exponential(
        ExponentialHistogram(
          scale: scale,
          zeroCount: zeroCount,
          positive: try readSide(&reader),
          negative: try readSide(&reader)
        )
      )
    case Form.explicit:
      let bounds = try reader.readCounted(of: Double.self)
      let counts = try CountRun.read(bounds.count + 1, from: &reader)
      return .explicit(ExplicitHistogram(bounds: bounds, counts: counts))
    case let other: throw .unexpected("form", expected: "0 or 1", found: "\(other)")
    }
  }

  private static func readSide(
    _ reader: inout ByteReader
  ) throws(CodecError) -> ExponentialHistogram.Buckets {
    let offset = try reader.read(Int32.self)
    let count = try reader.readCount()
    return .init(offset: offset, counts: try CountRun.read(count, from: &reader))
  }
}
