extension Gradwatch_V1_ReportStepsRequest {
  /// The field number of `reports`.
  private static let reports: UInt64 = 3

  /// The number of reports in an encoded request, without decoding any: a report of four bytes takes 150 times as many.
  ///
  /// Of bytes that are no message, that of the fields before what is wrong.
  public static func reportCount(in bytes: UnsafeRawBufferPointer) -> Int {
    var fields = WireFields(bytes, in: 0..<bytes.count)
    var count = 0
    while !fields.isAtEnd, let field = fields.next() {
      count += field.number == reports ? 1 : 0
    }
    return count
  }
}
