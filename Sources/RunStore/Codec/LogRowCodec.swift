package import Telemetry

/// The bytes of one report in the log: a body with all but the histograms, and those in a second
/// blob.
///
/// Two blobs, because a timeline reads a few bytes of the body of every report that is not sealed
/// yet, and the histograms are nine tenths of a report. `Format.md` draws both.
package enum LogRowCodec {
  /// Appends a report's body.
  ///
  /// - Throws: ``CodecError`` if a column is not as long as the indices that it speaks of, or has
  ///   more than ``Telemetry/Model/maximumCount`` values: ingest has refused such a report before.
  package static func writeBody(
    of report: StepReport,
    to writer: inout ByteWriter
  ) throws(CodecError) {
    try BlobFrame.write(to: &writer) { (writer: inout ByteWriter) throws(CodecError) in
      writer.append(report.sequence)
      let length = writer.count
      writer.append(UInt32(0))
      ScalarsCodec.write(report.scalars, to: &writer)
      writer.replace(at: length, with: UInt32(writer.count - length - 4))
      for group in ColumnGroup.allCases {
        let indices = group.indices(of: report)
        try checkIndices(indices, of: "\(group)")
        writer.append(counted: indices)
      }
      try writeColumns(of: report, to: &writer)
      TimeStepNormsCodec.write(report.timeStepNorms, to: &writer)
    }
  }

  /// Appends a report's histograms.
  ///
  /// - Throws: ``CodecError`` as ``writeBody(of:to:)`` does.
  package static func writeHistograms(
    of report: StepReport,
    to writer: inout ByteWriter
  ) throws(CodecError) {
    try BlobFrame.write(
      to: &writer,
      version: LogHistograms.version
    ) { (writer: inout ByteWriter) throws(CodecError) in
      let forms: UInt8 =
        (report.histograms == nil ? 0 : 1) | (report.explicitHistograms == nil ? 0 : 2)
      writer.append(forms)
      if let column = report.histograms { try write(column, to: &writer) }
      if let column = report.explicitHistograms { try write(column, to: &writer) }
    }
  }

  /// Whether the report has a second blob.
  package static func hasHistograms(_ report: StepReport) -> Bool {
    report.histograms != nil || report.explicitHistograms != nil
  }

  /// Reads a report back, bit for bit.
  ///
  /// - Throws: ``CodecError`` for any bytes that ``writeBody(of:to:)`` and
  ///   ``writeHistograms(of:to:)`` don't write.
  package static func read(
    body: UnsafeRawBufferPointer,
    histograms: UnsafeRawBufferPointer?
  ) throws(CodecError) -> StepReport {
    var report = try LogRow(body).report()
    if let histograms {
      let row = try LogHistograms(histograms)
      report.histograms = try row.exponentialColumn()
      report.explicitHistograms = row.explicitColumn()
    }
    return report
  }

  private static func writeColumns(
    of report: StepReport,
    to writer: inout ByteWriter
  ) throws(CodecError) {
    let place = writer.count
    writer.append(UInt8(0))
    var written: UInt8 = 0
    for metric in Metric.allCases {
      let indices = metric.group.indices(of: report)
      if metric.isCount {
        let values = metric.counts(of: report)
        guard !values.isEmpty else { continue }
        try check(values.count, of: "\(metric)", indices: indices)
        writer.append(metric.rawValue)
        writer.append(UInt32(values.count))
        IntegerColumn.write(values, to: &writer)
      } else {
        let values = metric.floats(of: report)
        guard !values.isEmpty else { continue }
        try check(values.count, of: "\(metric)", indices: indices)
        writer.append(metric.rawValue)
        writer.append(counted: values)
      }
      written += 1
    }
    writer.replaceByte(at: place, with: written)
  }

  private static func write(
    _ column: ExponentialHistogramColumn,
    to writer: inout ByteWriter
  ) throws(CodecError) {
    let count = column.zeroCount.count
    try checkIndices(column.tensorIDs, of: "histograms")
    try check(count, of: "histograms.zero_count", indices: column.tensorIDs)
    let lengths = [
      column.positiveOffset.count, column.positiveLength.count, column.negativeOffset.count,
      column.negativeLength.count,
    ]
    for length in lengths where length != count {
      throw .unexpected("histograms", expected: "\(count) values a column", found: "\(length)")
    }
    writer.append(counted: column.tensorIDs)
    writer.append(column.scale)
    writer.append(UInt32(count))
    IntegerColumn.write(column.zeroCount, to: &writer)
    IntegerColumn.write(signed: column.positiveOffset, to: &writer)
    IntegerColumn.write(column.positiveLength, to: &writer)
    IntegerColumn.write(signed: column.negativeOffset, to: &writer)
    IntegerColumn.write(column.negativeLength, to: &writer)
    var total = 0
    for index in 0..<count {
      total += Int(column.positiveLength[index]) + Int(column.negativeLength[index])
    }
    guard total == column.counts.count else {
      throw .unexpected(
        "histograms.counts",
        expected: "\(total) counts",
        found: "\(column.counts.count)"
      )
    }
    column.counts.withUnsafeBufferPointer { counts in
      var start = 0
      for index in 0..<count {
        let end = start + Int(column.positiveLength[index]) + Int(column.negativeLength[index])
        IntegerColumn.write(
          UnsafeBufferPointer(rebasing: counts[start..<end]),
          leastWidth: 1,
          to: &writer
        )
        start = end
      }
    }
  }

  private static func write(
    _ column: ExplicitHistogramColumn,
    to writer: inout ByteWriter
  ) throws(CodecError) {
    let buckets = column.bounds.count + 1
    let count = column.counts.count / buckets
    try checkIndices(column.tensorIDs, of: "explicit_histograms")
    guard column.counts.count == count * buckets else {
      throw .unexpected(
        "explicit_histograms.counts",
        expected: "\(buckets) counts a tensor",
        found: "\(column.counts.count) in all"
      )
    }
    try check(count, of: "explicit_histograms.counts", indices: column.tensorIDs)
    writer.append(counted: column.tensorIDs)
    writer.append(counted: column.bounds)
    writer.append(UInt32(count))
    column.counts.withUnsafeBufferPointer { counts in
      for index in 0..<count {
        IntegerColumn.write(
          UnsafeBufferPointer(rebasing: counts[index * buckets..<(index + 1) * buckets]),
          leastWidth: 1,
          to: &writer
        )
      }
    }
  }

  /// Checks that a model can have these indices: sealing makes a map as long as the largest.
  static func checkIndices(
    _ indices: some Sequence<UInt32>,
    of field: @autoclosure () -> String
  ) throws(CodecError) {
    for index in indices where index >= UInt32(Model.maximumCount) {
      throw .unexpected(
        field(),
        expected: "an index below \(Model.maximumCount)",
        found: "\(index)"
      )
    }
  }

  private static func check(
    _ count: Int,
    of field: @autoclosure () -> String,
    indices: [UInt32]
  ) throws(CodecError) {
    if !indices.isEmpty {
      guard count == indices.count else {
        throw .unexpected(field(), expected: "\(indices.count) values", found: "\(count)")
      }
    } else if count > Model.maximumCount {
      throw .unexpected(
        field(),
        expected: "at most \(Model.maximumCount) values",
        found: "\(count)"
      )
    }
  }
}
