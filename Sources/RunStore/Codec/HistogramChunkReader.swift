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

    /// A copy.
    var histogram: GradientHistogram {
      switch self {
      case .exponential(let view): .exponential(ExponentialHistogram(view))
      case .explicit(let histogram): .explicit(histogram)
      }
    }
  }

  /// The versions that are read.
  private enum Version {
    /// Runs of counts: those of each form stand behind its columns, one after the other.
    static let interleaved: UInt8 = 1
    /// Runs of counts: the widths of all stand at the end, and behind them all counts.
    static let separated: UInt8 = 2
    /// Columns of counts, one a bucket.
    static let columns: UInt8 = 3
  }

  private let exponential: Exponential
  private let explicit: Explicit
  private let counts: Counts

  /// The counts of the exponential histograms and of the others, in order.
  private enum Counts {
    case runs(CountRuns, CountRuns)
    case columns(BucketColumns, BucketColumns)
  }

  /// Checks a chunk.
  ///
  /// - Throws: ``CodecError`` for any bytes that ``HistogramChunkCodec/Builder/write(to:)`` doesn't write, or never wrote.
  init(_ chunk: UnsafeRawBufferPointer, _ inflater: Inflater) throws(CodecError) {
    var reader = try BlobFrame.open(
      chunk,
      inflater,
      versions: Version.interleaved...Version.columns
    )
    switch chunk[0] {
    case Version.columns:
      try reader.keepBack(PackedColumn.slack)
      exponential = try Exponential(columns: &reader)
      let isAligned = try reader.readFlag()
      explicit = try Explicit(columns: &reader)
      let (positive, negative) = (exponential.positive, exponential.negative)
      let buckets = BucketLayout(positive, negative, isAligned: isAligned)
      counts = .columns(
        try BucketColumns(buckets, from: &reader),
        try BucketColumns(BucketLayout(explicit: explicit.lengths), from: &reader)
      )
    case let version:
      exponential = try Exponential(from: &reader)
      var runs = CountRuns(exponential.lengths, in: reader.bytes)
      if version == Version.interleaved { try runs.readInterleaved(from: &reader) }
      explicit = try Explicit(from: &reader)
      var others = CountRuns(explicit.lengths.map { Int($0) }, in: reader.bytes)
      if version == Version.interleaved {
        try others.readInterleaved(from: &reader)
      } else {
        try runs.readWidths(from: &reader)
        try others.readWidths(from: &reader)
        try runs.readValues(from: &reader)
        try others.readValues(from: &reader)
      }
      counts = .runs(runs, others)
    }
    try reader.finish()
  }

  /// Calls `body` with all histograms, by row, at one row the exponential one first.
  func forEach(_ body: (_ row: Int, View) -> Void) {
    // Few have bounds of the client's choice, and these are short.
    var others: [(row: Int, histogram: ExplicitHistogram)] = []
    forEachExplicit { others.append(($0, $1)) }
    var next = 0
    forEachSum(where: { _, _ in false }) { rows, _, view in
      while next < others.count, others[next].row < rows.lowerBound {
        body(others[next].row, .explicit(others[next].histogram))
        next += 1
      }
      body(rows.lowerBound, .exponential(view))
    }
    for other in others[next...] { body(other.row, .explicit(other.histogram)) }
  }

  /// Whether there are histograms with bounds of the client's choice.
  var hasExplicit: Bool { !explicit.rows.isEmpty }

  /// Calls `body` with the exponential histograms, by row, neighbours of the same buckets added up.
  ///
  /// - Parameters:
  ///   - belongs: Whether the histogram at a row may be added to those at the rows before it.
  ///   - body: Takes the first and the last row, the number of histograms, and their sum.
  func forEachSum(
    where belongs: (_ row: Int, _ before: Int) -> Bool,
    _ body: (_ rows: ClosedRange<Int>, _ count: Int, ExponentialHistogramView) -> Void
  ) {
    func take(_ histograms: Range<Int>, _ counts: UnsafeBufferPointer<UInt64>) {
      let first = Int(exponential.rows[histograms.lowerBound])
      let last = Int(exponential.rows[histograms.upperBound - 1])
      body(first...Swift.max(last, first), histograms.count, exponential.view(histograms, counts))
    }
    switch counts {
    case .runs(let runs, _): runs.forEach { take($0..<$0 + 1, $1) }
    case .columns(let columns, _):
      columns.forEachSum(
        where: { index in
          exponential.hasBucketsOfTheOneBefore(index)
            && belongs(Int(exponential.rows[index]), Int(exponential.rows[index - 1]))
        },
        take
      )
    }
  }

  private func forEachExplicit(_ body: (_ row: Int, ExplicitHistogram) -> Void) {
    func take(_ index: Int, _ counts: UnsafeBufferPointer<UInt64>) {
      let bounds = explicit.bounds[explicit.sets[index]]
      body(Int(explicit.rows[index]), ExplicitHistogram(bounds: bounds, counts: Array(counts)))
    }
    switch counts {
    case .runs(_, let runs): runs.forEach(take)
    case .columns(_, let columns):
      columns.forEachSum(where: { _ in false }, { take($0.lowerBound, $1) })
    }
  }
}

/// The exponential histograms of a chunk but for their counts.
private struct Exponential {
  let rows: [UInt8]
  let positive: BucketLayout.Side
  let negative: BucketLayout.Side
  private let scale: [Int32]
  private let zeroCount: [UInt64]

  /// Reads versions 1 and 2.
  init(from reader: inout ByteReader) throws(CodecError) {
    let count = Int(try reader.read(UInt16.self))
    rows = try reader.readElements(count, of: UInt8.self)
    scale = try IntegerColumn(count, from: &reader).signedValues(in: reader.bytes)
    zeroCount = try IntegerColumn(count, from: &reader).values(in: reader.bytes)
    positive = try Self.readSide(count, from: &reader)
    negative = try Self.readSide(count, from: &reader)
  }

  /// Reads version 3.
  init(columns reader: inout ByteReader) throws(CodecError) {
    let count = Int(try reader.read(UInt16.self))
    // A column may take no byte for all of its values.
    rows = try readRows(count, from: &reader)
    scale = try PackedColumn(count, from: &reader).signedValues(count, in: reader.bytes)
    zeroCount = try PackedColumn(count, from: &reader).values(count, in: reader.bytes)
    positive = try Self.readPackedSide(count, from: &reader)
    negative = try Self.readPackedSide(count, from: &reader)
  }

  private static func readSide(
    _ count: Int,
    from reader: inout ByteReader
  ) throws(CodecError) -> BucketLayout.Side {
    BucketLayout.Side(
      offsets: try IntegerColumn(count, from: &reader).signedValues(in: reader.bytes),
      lengths: try IntegerColumn(count, from: &reader).values(in: reader.bytes, as: UInt32.self)
    )
  }

  private static func readPackedSide(
    _ count: Int,
    from reader: inout ByteReader
  ) throws(CodecError) -> BucketLayout.Side {
    let offsets = try PackedColumn(count, from: &reader).signedValues(count, in: reader.bytes)
    let lengths = try PackedColumn(count, from: &reader).values(count, in: reader.bytes)
    return BucketLayout.Side(
      offsets: offsets,
      lengths: try lengths.map { length throws(CodecError) in
        guard let length = UInt32(exactly: length) else {
          throw .unexpected("buckets", expected: "at most \(UInt32.max)", found: "\(length)")
        }
        return length
      }
    )
  }

  /// The number of counts of each histogram.
  var lengths: [Int] { zip(positive.lengths, negative.lengths).map { Int($0) + Int($1) } }

  /// Whether a histogram's columns, if they are those of the one before it, are the same buckets.
  func hasBucketsOfTheOneBefore(_ index: Int) -> Bool {
    scale[index] == scale[index - 1] && positive.offsets[index] == positive.offsets[index - 1]
      && negative.offsets[index] == negative.offsets[index - 1]
  }

  /// Some histograms of the same buckets, with the sum of their counts.
  func view(
    _ histograms: Range<Int>,
    _ counts: UnsafeBufferPointer<UInt64>
  ) -> ExponentialHistogramView {
    let index = histograms.lowerBound
    let middle = Int(positive.lengths[index])
    return ExponentialHistogramView(
      scale: scale[index],
      zeroCount: zeroCount[histograms].reduce(0, &+),
      positiveOffset: positive.offsets[index],
      positive: UnsafeBufferPointer(rebasing: counts[..<middle]),
      negativeOffset: negative.offsets[index],
      negative: UnsafeBufferPointer(rebasing: counts[middle...])
    )
  }
}

/// The histograms of a chunk with bounds of the client's choice, but for their counts.
private struct Explicit {
  let bounds: [[Double]]
  let rows: [UInt8]
  /// For each row, the place of its bounds.
  let sets: [Int]

  /// Reads versions 1 and 2.
  init(from reader: inout ByteReader) throws(CodecError) {
    bounds = try Self.readBounds(from: &reader)
    let count = Int(try reader.read(UInt16.self))
    rows = try reader.readElements(count, of: UInt8.self)
    sets = try Self.check(IntegerColumn(count, from: &reader).values(in: reader.bytes), bounds)
  }

  /// Reads version 3.
  init(columns reader: inout ByteReader) throws(CodecError) {
    bounds = try Self.readBounds(from: &reader)
    let count = Int(try reader.read(UInt16.self))
    rows = try readRows(count, from: &reader)
    sets = try Self.check(
      PackedColumn(count, from: &reader).values(count, in: reader.bytes),
      bounds
    )
  }

  /// The number of counts of each histogram.
  var lengths: [UInt32] { sets.map { UInt32(truncatingIfNeeded: bounds[$0].count + 1) } }

  private static func readBounds(from reader: inout ByteReader) throws(CodecError) -> [[Double]] {
    var bounds: [[Double]] = []
    for _ in 0..<(try reader.read(UInt16.self)) { bounds.append(try reader.readCounted()) }
    return bounds
  }

  private static func check(_ sets: [UInt64], _ bounds: [[Double]]) throws(CodecError) -> [Int] {
    for (index, set) in sets.enumerated() where set >= UInt64(bounds.count) {
      throw .unexpected(
        "histogram \(index)",
        expected: "bounds below \(bounds.count)",
        found: "\(set)"
      )
    }
    return sets.map { Int($0) }
  }
}

/// Reads rows that ascend: the first, and for each other one how many were left out before it.
private func readRows(_ count: Int, from reader: inout ByteReader) throws(CodecError) -> [UInt8] {
  let gaps = try PackedColumn(count, from: &reader).values(count, in: reader.bytes)
  var next: UInt64 = 0
  return try gaps.map { gap throws(CodecError) in
    let (row, overflow) = next.addingReportingOverflow(gap)
    guard !overflow, let row = UInt8(exactly: row) else {
      throw .unexpected("histograms", expected: "rows below 256", found: "a later one")
    }
    next = UInt64(row) + 1
    return row
  }
}
