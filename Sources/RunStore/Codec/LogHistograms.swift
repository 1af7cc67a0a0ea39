import Telemetry

/// A report's histograms in the log, checked and found their way around in, but not decoded.
///
/// It refers to the bytes that it was made from and lives no longer than they do; ``exponential`` and ``explicit`` refer to it
/// in turn, and are plain memory, because sealing takes one value after the other out of hundreds of them: to retain and
/// release their arrays took as long as all else.
final class LogHistograms {
  /// The versions that are read.
  private enum Version {
    /// The counts of a histogram are a ``CountRun``.
    static let runs: UInt8 = 1
    /// They are an ``IntegerColumn``: written and read several at a time.
    static let columns: UInt8 = 2
  }

  /// The version that is written.
  static let version = Version.columns

  /// The histograms of one form, one a tensor.
  struct Form {
    /// The tensors that have a histogram; empty if all have one.
    let indices: UnsafeBufferPointer<UInt32>
    /// The counts of each histogram, in ``LogHistograms/countBytes``.
    let counts: UnsafeBufferPointer<IntegerColumn>

    /// The number of histograms.
    var count: Int { counts.count }

    fileprivate init(_ indices: [UInt32], _ counts: [IntegerColumn]) {
      self.indices = Self.copy(indices)
      self.counts = Self.copy(counts)
    }

    fileprivate func deallocate() {
      indices.deallocate()
      counts.deallocate()
    }

    private static func copy<Element: BitwiseCopyable>(
      _ elements: [Element]
    ) -> UnsafeBufferPointer<Element> {
      let copy = UnsafeMutableBufferPointer<Element>.allocate(capacity: elements.count)
      _ = copy.initialize(fromContentsOf: elements)
      return UnsafeBufferPointer(copy)
    }

    /// Where a tensor's histogram stands; `nil` if it has none.
    func position(of tensor: UInt32) -> Int? {
      guard indices.isEmpty else { return indices.lastIndex(of: tensor) }
      return Int(tensor) < count ? Int(tensor) : nil
    }

    /// The counts of all histograms, end to end.
    func allCounts(in bytes: UnsafeRawBufferPointer) -> [UInt64] {
      var all: [UInt64] = []
      all.reserveCapacity(counts.reduce(0) { $0 + $1.count })
      for column in counts { column.forEach(0..<column.count, in: bytes) { all.append($1) } }
      return all
    }
  }

  /// The exponential histograms.
  struct Exponential {
    let form: Form
    let scale: Int32
    let zeroCount: IntegerColumn
    let positiveOffset: IntegerColumn
    let positiveLength: IntegerColumn
    let negativeOffset: IntegerColumn
    let negativeLength: IntegerColumn

    /// Checks the histograms.
    fileprivate init(
      from reader: inout ByteReader,
      _ version: UInt8,
      _ converted: inout ByteWriter
    ) throws(CodecError) {
      let indices = try reader.readCounted(of: UInt32.self)
      try LogRowCodec.checkIndices(indices, of: "histograms")
      scale = try reader.read(Int32.self)
      let count = try LogHistograms.readCount(indices: indices, from: &reader)
      zeroCount = try IntegerColumn(count, from: &reader)
      positiveOffset = try IntegerColumn(count, from: &reader)
      positiveLength = try IntegerColumn(count, from: &reader)
      negativeOffset = try IntegerColumn(count, from: &reader)
      negativeLength = try IntegerColumn(count, from: &reader)
      var counts: [IntegerColumn] = []
      counts.reserveCapacity(count)
      for position in 0..<count {
        let length = try LogHistograms.length(
          positiveLength.value(position, in: reader.bytes),
          negativeLength.value(position, in: reader.bytes),
          at: position
        )
        counts.append(try LogHistograms.readCounts(length, from: &reader, version, &converted))
      }
      form = Form(indices, counts)
    }
  }

  /// The histograms with bounds of the client's choice.
  struct Explicit {
    let form: Form
    /// Where the bounds lie in ``LogHistograms/bytes``.
    fileprivate let boundsStart: Int
    let boundsCount: Int

    /// The bounds.
    func bounds(in bytes: UnsafeRawBufferPointer) -> [Double] {
      (0..<boundsCount).map {
        bytes.loadUnaligned(fromByteOffset: boundsStart + 8 * $0, as: Double.self)
      }
    }

    /// Checks the histograms.
    fileprivate init(
      from reader: inout ByteReader,
      _ version: UInt8,
      _ converted: inout ByteWriter
    ) throws(CodecError) {
      let indices = try reader.readCounted(of: UInt32.self)
      try LogRowCodec.checkIndices(indices, of: "histograms")
      let bounds = try reader.readCount()
      let (size, overflow) = bounds.multipliedReportingOverflow(by: 8)
      (boundsStart, boundsCount) = (try reader.take(overflow ? .max : size), bounds)
      let count = try LogHistograms.readCount(indices: indices, from: &reader)
      var counts: [IntegerColumn] = []
      counts.reserveCapacity(count)
      for _ in 0..<count {
        counts.append(
          try LogHistograms.readCounts(bounds + 1, from: &reader, version, &converted)
        )
      }
      form = Form(indices, counts)
    }
  }

  /// The bytes that all columns but the counts refer to.
  let bytes: UnsafeRawBufferPointer
  /// The bytes that the counts refer to.
  var countBytes: UnsafeRawBufferPointer { version == Version.runs ? converted.bytes : bytes }
  /// The exponential histograms; `nil` if none was taken.
  private(set) var exponential: Exponential?
  /// The histograms with bounds of the client's choice; `nil` if none was taken.
  private(set) var explicit: Explicit?

  private let version: UInt8
  /// The counts of version 1, as version 2 has them.
  private var converted = ByteWriter(capacity: 0)

  /// Checks a blob of histograms.
  init(_ bytes: UnsafeRawBufferPointer) throws(CodecError) {
    var reader = try BlobFrame.open(bytes, versions: Version.runs...Version.columns)
    let version = bytes[0]
    let forms = try reader.read(UInt8.self)
    guard forms <= 3 else {
      throw .unexpected("histogram forms", expected: "at most 3", found: "\(forms)")
    }
    self.bytes = bytes
    self.version = version
    // From here on deinit frees what was found, whatever is thrown.
    if forms & 1 != 0 { exponential = try Exponential(from: &reader, version, &converted) }
    if forms & 2 != 0 { explicit = try Explicit(from: &reader, version, &converted) }
    try reader.finish()
  }

  deinit {
    exponential?.form.deallocate()
    explicit?.form.deallocate()
  }

  /// One tensor's histograms: none, one, or one of each form.
  func histograms(of tensor: UInt32) throws(CodecError) -> [GradientHistogram] {
    var found: [GradientHistogram] = []
    if let exponential, let position = exponential.form.position(of: tensor) {
      let positive = Int(exponential.positiveLength.value(position, in: bytes))
      let counts = exponential.form.counts[position].values(in: countBytes)
      found.append(
        .exponential(
          ExponentialHistogram(
            scale: exponential.scale,
            zeroCount: exponential.zeroCount.value(position, in: bytes),
            positive: .init(
              offset: try exponential.positiveOffset.signed(position, in: bytes),
              counts: Array(counts[..<positive])
            ),
            negative: .init(
              offset: try exponential.negativeOffset.signed(position, in: bytes),
              counts: Array(counts[positive...])
            )
          )
        )
      )
    }
    if let explicit, let position = explicit.form.position(of: tensor) {
      let counts = explicit.form.counts[position].values(in: countBytes)
      found.append(.explicit(ExplicitHistogram(bounds: explicit.bounds(in: bytes), counts: counts)))
    }
    return found
  }

  /// The exponential histograms as the report had them.
  func exponentialColumn() throws(CodecError) -> ExponentialHistogramColumn? {
    guard let exponential else { return nil }
    var column = ExponentialHistogramColumn()
    column.tensorIDs = Array(exponential.form.indices)
    column.scale = exponential.scale
    column.zeroCount = exponential.zeroCount.values(in: bytes)
    column.positiveOffset = try exponential.positiveOffset.signedValues(in: bytes)
    column.positiveLength = try exponential.positiveLength.values(in: bytes, as: UInt32.self)
    column.negativeOffset = try exponential.negativeOffset.signedValues(in: bytes)
    column.negativeLength = try exponential.negativeLength.values(in: bytes, as: UInt32.self)
    column.counts = exponential.form.allCounts(in: countBytes)
    return column
  }

  /// The histograms with bounds of the client's choice as the report had them.
  func explicitColumn() -> ExplicitHistogramColumn? {
    guard let explicit else { return nil }
    var column = ExplicitHistogramColumn()
    column.tensorIDs = Array(explicit.form.indices)
    column.bounds = explicit.bounds(in: bytes)
    column.counts = explicit.form.allCounts(in: countBytes)
    return column
  }

  private static func readCounts(
    _ count: Int,
    from reader: inout ByteReader,
    _ version: UInt8,
    _ converted: inout ByteWriter
  ) throws(CodecError) -> IntegerColumn {
    guard version == Version.runs else {
      let column = try IntegerColumn(count, from: &reader)
      // So that the bytes bound the counts, and what is allocated for them.
      guard column.width > 0 || count == 0 else {
        throw .unexpected("counts", expected: "width 1, 2, 4 or 8", found: "0")
      }
      return column
    }
    let counts = try CountRun.read(count, from: &reader)
    let start = converted.count
    IntegerColumn.write(counts, leastWidth: 1, to: &converted)
    var column = ByteReader(converted.bytes, from: start)
    return try IntegerColumn(count, from: &column)
  }

  /// The number of histograms, which is that of the indices if there are any.
  private static func readCount(
    indices: [UInt32],
    from reader: inout ByteReader
  ) throws(CodecError) -> Int {
    let count = try reader.readCount()
    guard indices.isEmpty ? count <= Model.maximumCount : count == indices.count else {
      throw .unexpected(
        "histograms",
        expected: indices.isEmpty ? "at most \(Model.maximumCount)" : "\(indices.count)",
        found: "\(count)"
      )
    }
    return count
  }

  /// The number of buckets of both signs.
  static func length(
    _ positive: UInt64,
    _ negative: UInt64,
    at position: Int
  ) throws(CodecError) -> Int {
    let (sum, overflow) = positive.addingReportingOverflow(negative)
    guard !overflow, let length = Int(exactly: sum) else {
      throw .unexpected(
        "histogram \(position)",
        expected: "at most \(Int.max) buckets",
        found: "more"
      )
    }
    return length
  }
}
