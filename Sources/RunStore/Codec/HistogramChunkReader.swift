import Telemetry

/// A chunk of histograms, checked as a whole, whose counts are decoded one histogram after the other.
///
/// It refers to the bytes that it was made from, or to the inflater's, and lives no longer than they do.
struct HistogramChunkReader {
  /// One histogram, valid during the call that it is given to.
  enum View {
    /// Exponential buckets.
    case exponential(ExponentialHistogramView)
    /// Bounds of the client's choice.
    case explicit(ExplicitHistogram)
  }

  /// The versions that are read.
  private enum Version {
    /// The runs of counts of each form stand behind its columns, one after the other.
    static let interleaved: UInt8 = 1
    /// The widths of all runs stand at the end, and behind them all counts.
    static let separated: UInt8 = 2
  }

  private struct Run {
    var length: Int
    var widths = 0
    var values = 0
  }

  private let bytes: UnsafeRawBufferPointer
  private let exponential: Exponential
  private let explicit: Explicit
  /// Those of the exponential histograms, and then the others'.
  private let runs: [Run]

  /// Checks a chunk.
  ///
  /// - Throws: ``CodecError`` for any bytes that ``HistogramChunkCodec/Builder/write(to:_:)`` doesn't write, or never wrote.
  init(_ chunk: UnsafeRawBufferPointer, _ inflater: Inflater) throws(CodecError) {
    var reader = try BlobFrame.open(
      chunk,
      inflater,
      versions: Version.interleaved...Version.separated
    )
    bytes = reader.bytes
    let isInterleaved = chunk[0] == Version.interleaved
    exponential = try Exponential(from: &reader)
    var runs: [Run] = []
    for length in try exponential.lengths(in: bytes) { runs.append(Run(length: length)) }
    if isInterleaved { try Self.readInterleaved(&runs[...], from: &reader) }
    explicit = try Explicit(from: &reader)
    let first = runs.count
    for set in explicit.sets { runs.append(Run(length: explicit.bounds[set].count + 1)) }
    if isInterleaved {
      try Self.readInterleaved(&runs[first...], from: &reader)
    } else {
      try Self.readSeparated(&runs, from: &reader)
    }
    self.runs = runs
    try reader.finish()
  }

  private static func readInterleaved(
    _ runs: inout ArraySlice<Run>,
    from reader: inout ByteReader
  ) throws(CodecError) {
    for index in runs.indices {
      runs[index].widths = try CountRun.skip(runs[index].length, in: &reader)
      runs[index].values = runs[index].widths + CountRun.widthsSize(runs[index].length)
    }
  }

  private static func readSeparated(
    _ runs: inout [Run],
    from reader: inout ByteReader
  ) throws(CodecError) {
    for index in runs.indices {
      runs[index].widths = try reader.take(CountRun.widthsSize(runs[index].length))
    }
    for index in runs.indices {
      let (length, widths) = (runs[index].length, runs[index].widths)
      let size = try CountRun.size(of: length, widths: widths, in: reader.bytes)
      runs[index].values = try reader.take(size)
    }
  }

  /// Calls `body` with all histograms, by row, at one row the exponential one first.
  func forEach(_ body: (_ row: Int, View) -> Void) {
    let longest = runs.reduce(0) { Swift.max($0, $1.length) }
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: longest) { counts in
      var next = 0
      for index in exponential.rows.indices {
        while next < explicit.rows.count, explicit.rows[next] < exponential.rows[index] {
          body(Int(explicit.rows[next]), .explicit(explicit(next, counts)))
          next += 1
        }
        let decoded = decode(runs[index], counts)
        body(
          Int(exponential.rows[index]),
          .exponential(exponential.view(index, decoded, in: bytes))
        )
      }
      for index in next..<explicit.rows.count {
        body(Int(explicit.rows[index]), .explicit(explicit(index, counts)))
      }
    }
  }

  private func explicit(
    _ index: Int,
    _ counts: UnsafeMutableBufferPointer<UInt64>
  ) -> ExplicitHistogram {
    ExplicitHistogram(
      bounds: explicit.bounds[explicit.sets[index]],
      counts: Array(decode(runs[exponential.rows.count + index], counts))
    )
  }

  private func decode(
    _ run: Run,
    _ counts: UnsafeMutableBufferPointer<UInt64>
  ) -> UnsafeBufferPointer<UInt64> {
    guard let base = counts.baseAddress else { return UnsafeBufferPointer(start: nil, count: 0) }
    CountRun.decode(run.length, widths: run.widths, values: run.values, in: bytes, into: base)
    return UnsafeBufferPointer(start: base, count: run.length)
  }
}

/// The exponential histograms of a chunk but for their counts.
private struct Exponential {
  let rows: [UInt8]
  private let scale: [Int32]
  private let zeroCount: IntegerColumn
  private let positiveOffset: [Int32]
  private let positiveLength: IntegerColumn
  private let negativeOffset: [Int32]
  private let negativeLength: IntegerColumn

  init(from reader: inout ByteReader) throws(CodecError) {
    let count = Int(try reader.read(UInt16.self))
    rows = try reader.readElements(count, of: UInt8.self)
    scale = try IntegerColumn(count, from: &reader).signedValues(in: reader.bytes)
    zeroCount = try IntegerColumn(count, from: &reader)
    positiveOffset = try IntegerColumn(count, from: &reader).signedValues(in: reader.bytes)
    positiveLength = try IntegerColumn(count, from: &reader)
    negativeOffset = try IntegerColumn(count, from: &reader).signedValues(in: reader.bytes)
    negativeLength = try IntegerColumn(count, from: &reader)
  }

  /// The number of counts of each histogram.
  func lengths(in bytes: UnsafeRawBufferPointer) throws(CodecError) -> [Int] {
    var lengths: [Int] = []
    lengths.reserveCapacity(rows.count)
    for index in rows.indices {
      lengths.append(
        try LogHistograms.length(
          positiveLength.value(index, in: bytes),
          negativeLength.value(index, in: bytes),
          at: index
        )
      )
    }
    return lengths
  }

  func view(
    _ index: Int,
    _ counts: UnsafeBufferPointer<UInt64>,
    in bytes: UnsafeRawBufferPointer
  ) -> ExponentialHistogramView {
    let positive = Int(positiveLength.value(index, in: bytes))
    return ExponentialHistogramView(
      scale: scale[index],
      zeroCount: zeroCount.value(index, in: bytes),
      positiveOffset: positiveOffset[index],
      positive: UnsafeBufferPointer(rebasing: counts[..<positive]),
      negativeOffset: negativeOffset[index],
      negative: UnsafeBufferPointer(rebasing: counts[positive...])
    )
  }
}

/// The histograms of a chunk with bounds of the client's choice, but for their counts.
private struct Explicit {
  let bounds: [[Double]]
  let rows: [UInt8]
  /// For each row, the place of its bounds.
  let sets: [Int]

  init(from reader: inout ByteReader) throws(CodecError) {
    var bounds: [[Double]] = []
    for _ in 0..<(try reader.read(UInt16.self)) { bounds.append(try reader.readCounted()) }
    let count = Int(try reader.read(UInt16.self))
    rows = try reader.readElements(count, of: UInt8.self)
    let column = try IntegerColumn(count, from: &reader)
    var sets: [Int] = []
    for index in 0..<count {
      let set = column.value(index, in: reader.bytes)
      guard set < UInt64(bounds.count) else {
        throw .unexpected(
          "histogram \(index)",
          expected: "bounds below \(bounds.count)",
          found: "\(set)"
        )
      }
      sets.append(Int(set))
    }
    self.bounds = bounds
    self.sets = sets
  }
}
