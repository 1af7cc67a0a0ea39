import Telemetry

/// A report's histograms in the log, checked and found their way around in, but not decoded.
///
/// It refers to the bytes that it was made from and lives no longer than they do.
struct LogHistograms {
  /// The histograms of one form, one a tensor.
  struct Form {
    /// The tensors that have a histogram; empty if all have one.
    let indices: [UInt32]
    /// Where each run of counts starts, and where the last one ends.
    let runs: [Int]

    /// The number of histograms.
    var count: Int { runs.count - 1 }

    /// Where a tensor's histogram stands; `nil` if it has none.
    func position(of tensor: UInt32) -> Int? {
      guard indices.isEmpty else { return indices.lastIndex(of: tensor) }
      return Int(tensor) < count ? Int(tensor) : nil
    }

    /// The counts of all runs, end to end, by the length of each.
    func counts(in bytes: UnsafeRawBufferPointer, length: (Int) -> Int) -> [UInt64] {
      let total = (0..<count).reduce(0) { $0 + length($1) }
      return [UInt64](unsafeUninitializedCapacity: total) { buffer, initialized in
        guard let base = buffer.baseAddress else { return }
        for position in 0..<count {
          let length = length(position)
          CountRun.decode(length, at: runs[position], in: bytes, into: base + initialized)
          initialized += length
        }
      }
    }
  }

  /// The exponential histograms but for their runs.
  struct Exponential {
    let form: Form
    let scale: Int32
    let zeroCount: IntegerColumn
    let positiveOffset: IntegerColumn
    let positiveLength: IntegerColumn
    let negativeOffset: IntegerColumn
    let negativeLength: IntegerColumn
  }

  /// The histograms with bounds of the client's choice but for their runs.
  struct Explicit {
    let form: Form
    let bounds: [Double]
  }

  /// The bytes that all positions refer to.
  let bytes: UnsafeRawBufferPointer
  /// The exponential histograms; `nil` if none was taken.
  let exponential: Exponential?
  /// The histograms with bounds of the client's choice; `nil` if none was taken.
  let explicit: Explicit?

  /// Checks a blob of histograms.
  init(_ bytes: UnsafeRawBufferPointer) throws(CodecError) {
    var reader = try BlobFrame.open(bytes)
    self.bytes = bytes
    let forms = try reader.read(UInt8.self)
    guard forms <= 3 else {
      throw .unexpected("histogram forms", expected: "at most 3", found: "\(forms)")
    }
    exponential = forms & 1 == 0 ? nil : try Self.readExponential(from: &reader)
    explicit = forms & 2 == 0 ? nil : try Self.readExplicit(from: &reader)
    try reader.finish()
  }

  /// One tensor's histograms: none, one, or one of each form.
  func histograms(of tensor: UInt32) throws(CodecError) -> [GradientHistogram] {
    var found: [GradientHistogram] = []
    if let exponential, let position = exponential.form.position(of: tensor) {
      let positive = Int(exponential.positiveLength.value(position, in: bytes))
      let negative = Int(exponential.negativeLength.value(position, in: bytes))
      let counts = CountRun.decode(
        positive + negative,
        at: exponential.form.runs[position],
        in: bytes
      )
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
      let counts = CountRun.decode(
        explicit.bounds.count + 1,
        at: explicit.form.runs[position],
        in: bytes
      )
      found.append(.explicit(ExplicitHistogram(bounds: explicit.bounds, counts: counts)))
    }
    return found
  }

  /// The exponential histograms as the report had them.
  func exponentialColumn() throws(CodecError) -> ExponentialHistogramColumn? {
    guard let exponential else { return nil }
    var column = ExponentialHistogramColumn()
    column.tensorIDs = exponential.form.indices
    column.scale = exponential.scale
    column.zeroCount = exponential.zeroCount.values(in: bytes)
    column.positiveOffset = try exponential.positiveOffset.signedValues(in: bytes)
    column.positiveLength = try exponential.positiveLength.values(in: bytes, as: UInt32.self)
    column.negativeOffset = try exponential.negativeOffset.signedValues(in: bytes)
    column.negativeLength = try exponential.negativeLength.values(in: bytes, as: UInt32.self)
    column.counts = exponential.form.counts(in: bytes) { position in
      Int(column.positiveLength[position]) + Int(column.negativeLength[position])
    }
    return column
  }

  /// The histograms with bounds of the client's choice as the report had them.
  func explicitColumn() -> ExplicitHistogramColumn? {
    guard let explicit else { return nil }
    var column = ExplicitHistogramColumn()
    column.tensorIDs = explicit.form.indices
    column.bounds = explicit.bounds
    column.counts = explicit.form.counts(in: bytes) { _ in explicit.bounds.count + 1 }
    return column
  }

  private static func readExponential(
    from reader: inout ByteReader
  ) throws(CodecError) -> Exponential {
    let indices = try reader.readCounted(of: UInt32.self)
    try LogRowCodec.checkIndices(indices, of: "histograms")
    let scale = try reader.read(Int32.self)
    let count = try readCount(indices: indices, from: &reader)
    let zeroCount = try IntegerColumn(count, from: &reader)
    let positiveOffset = try IntegerColumn(count, from: &reader)
    let positiveLength = try IntegerColumn(count, from: &reader)
    let negativeOffset = try IntegerColumn(count, from: &reader)
    let negativeLength = try IntegerColumn(count, from: &reader)
    var runs: [Int] = []
    runs.reserveCapacity(count + 1)
    for position in 0..<count {
      let length = try Self.length(
        positiveLength.value(position, in: reader.bytes),
        negativeLength.value(position, in: reader.bytes),
        at: position
      )
      runs.append(try CountRun.skip(length, in: &reader))
    }
    runs.append(reader.position)
    return Exponential(
      form: Form(indices: indices, runs: runs),
      scale: scale,
      zeroCount: zeroCount,
      positiveOffset: positiveOffset,
      positiveLength: positiveLength,
      negativeOffset: negativeOffset,
      negativeLength: negativeLength
    )
  }

  private static func readExplicit(from reader: inout ByteReader) throws(CodecError) -> Explicit {
    let indices = try reader.readCounted(of: UInt32.self)
    try LogRowCodec.checkIndices(indices, of: "histograms")
    let bounds = try reader.readCounted(of: Double.self)
    let count = try readCount(indices: indices, from: &reader)
    var runs: [Int] = []
    runs.reserveCapacity(count + 1)
    for _ in 0..<count { runs.append(try CountRun.skip(bounds.count + 1, in: &reader)) }
    runs.append(reader.position)
    return Explicit(form: Form(indices: indices, runs: runs), bounds: bounds)
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
