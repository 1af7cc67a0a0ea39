/// Some of the rows of a segment, as bits.
package struct RowSet: Hashable, Sendable {
  /// The most rows of a segment.
  ///
  /// From chunks of 256 rows, 100,000 steps of one tensor are read in 0.8 ms: larger ones gain nothing there, and cost a reader of
  /// a few steps more.
  package static let maximumRows = 256

  private var words = SIMD4<UInt64>()

  /// No row.
  package init() {}

  /// The first `count` rows.
  package init(first count: Int) {
    for word in 0..<4 {
      let bits = Swift.min(Swift.max(count - 64 * word, 0), 64)
      words[word] = bits == 64 ? ~0 : 1 &<< UInt64(bits) &- 1
    }
  }

  /// The number of rows in it.
  package var count: Int {
    words[0].nonzeroBitCount + words[1].nonzeroBitCount + words[2].nonzeroBitCount
      + words[3].nonzeroBitCount
  }

  /// Whether a row is in it.
  ///
  /// - Precondition: `row` is below ``maximumRows``.
  @inline(__always)
  package func contains(_ row: Int) -> Bool { words[row &>> 6] &>> UInt64(row & 63) & 1 != 0 }

  /// Adds a row.
  ///
  /// - Precondition: `row` is below ``maximumRows``.
  @inline(__always)
  package mutating func insert(_ row: Int) { words[row &>> 6] |= 1 &<< UInt64(row & 63) }

  /// Appends one bit for each of the first `rows` rows, in whole bytes.
  func write(rows: Int, to writer: inout ByteWriter) {
    for byte in 0..<(rows + 7) / 8 {
      writer.append(UInt8(truncatingIfNeeded: words[byte / 8] &>> UInt64(byte % 8 * 8)))
    }
  }

  /// Reads what ``write(rows:to:)`` wrote.
  static func read(rows: Int, from reader: inout ByteReader) throws(CodecError) -> RowSet {
    guard (0...maximumRows).contains(rows) else {
      throw .unexpected("rows", expected: "at most \(maximumRows)", found: "\(rows)")
    }
    var set = RowSet()
    let start = try reader.take((rows + 7) / 8)
    for byte in 0..<(rows + 7) / 8 {
      set.words[byte / 8] |= UInt64(reader.bytes[start + byte]) &<< UInt64(byte % 8 * 8)
    }
    guard rows % 64 == 0 || set.words[rows / 64] &>> UInt64(rows % 64) == 0 else {
      throw CodecError("byte \(start): expected no row after the last of \(rows)")
    }
    return set
  }
}
