import Telemetry

/// The blobs of one report's row in the log, ready to be written.
///
/// Made where the report was taken apart, while it lies in that core's cache: a commit is waited for by all runs, and what it has to
/// carry over is a quarter of the report.
struct LogRowBytes: Sendable {
  private let bytes: [UInt8]
  private let bodySize: Int

  /// The bytes of both.
  var count: Int { bytes.count }

  /// Makes the blobs.
  ///
  /// - Throws: As ``LogRowCodec/writeBody(of:to:)`` does.
  init(_ report: StepReport) throws(CodecError) {
    // Most of a report are counts, of which eight bytes become one or two.
    var writer = ByteWriter(capacity: report.approximateBytes / 2)
    try LogRowCodec.writeBody(of: report, to: &writer)
    bodySize = writer.count
    if LogRowCodec.hasHistograms(report) {
      try LogRowCodec.writeHistograms(of: report, to: &writer)
    }
    bytes = writer.array
  }

  /// Calls `body` with the blobs; they are valid during the call.
  func withBlobs<Result>(
    _ body: (_ body: UnsafeRawBufferPointer, _ histograms: UnsafeRawBufferPointer?) throws -> Result
  ) rethrows -> Result {
    try bytes.withUnsafeBytes { bytes in
      try body(
        UnsafeRawBufferPointer(rebasing: bytes[..<bodySize]),
        bodySize == bytes.count ? nil : UnsafeRawBufferPointer(rebasing: bytes[bodySize...])
      )
    }
  }
}
