import SwiftProtobuf

extension Gradwatch_V1_StreamTelemetryRequest {
  private enum FieldNumber {
    /// `StreamTelemetryRequest.report`.
    static let report: UInt64 = 2
    /// `StepReport.histograms`.
    static let histograms: UInt64 = 16
    /// `ExponentialHistogramColumn.counts`.
    static let counts: UInt64 = 8
  }

  /// Decodes a message to what `init(serializedBytes:)` decodes it to, the counts of histograms five times faster.
  ///
  /// The counts are cut out of the message, and the generated decoder gets the rest.
  ///
  /// - Returns: `nil` for whatever is not just one report with one column of packed counts: the generated decoder reads, or refuses,
  ///   it as a whole.
  public init?(cuttingCountsOutOf bytes: UnsafeRawBufferPointer) {
    guard let report = Self.report(in: bytes) else { return nil }
    self.init()
    self.report = report
  }

  private static func report(in bytes: UnsafeRawBufferPointer) -> Gradwatch_V1_StepReport? {
    var fields = WireFields(bytes, in: 0..<bytes.count)
    guard let only = fields.next(), fields.isAtEnd, only.number == FieldNumber.report,
      let reportRange = only.content
    else { return nil }
    var column: (whole: Range<Int>, content: Range<Int>)?
    fields = WireFields(bytes, in: reportRange)
    while !fields.isAtEnd {
      guard let field = fields.next() else { return nil }
      guard field.number == FieldNumber.histograms else { continue }
      guard column == nil, let content = field.content else { return nil }
      column = (field.start..<field.end, content)
    }
    guard let column else { return nil }
    var counts: [Range<Int>] = []
    var rest: [UInt8] = []
    fields = WireFields(bytes, in: column.content)
    while !fields.isAtEnd {
      guard let field = fields.next() else { return nil }
      if field.number != FieldNumber.counts {
        rest += bytes[field.start..<field.end]
      } else if let content = field.content {
        counts.append(content)
      } else {
        return nil
      }
    }
    var others = Array(bytes[reportRange.lowerBound..<column.whole.lowerBound])
    others += bytes[column.whole.upperBound..<reportRange.upperBound]
    guard let decoded = PackedCounts.decode(counts, of: bytes),
      var histograms = try? Gradwatch_V1_ExponentialHistogramColumn(serializedBytes: rest),
      var report = try? Gradwatch_V1_StepReport(serializedBytes: others)
    else { return nil }
    histograms.counts = decoded
    report.histograms = histograms
    return report
  }
}
