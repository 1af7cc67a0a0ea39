/// The counts of one histogram, each as wide as it has to be.
///
/// ```
/// ┌────────────────────────────┬──────────────────────────────┐
/// │ widths <2 bits a count>    │ counts <1, 2, 4 or 8b each>  │
/// └────────────────────────────┴──────────────────────────────┘
/// ```
///
/// The number of counts is stored beside the run. The widths come first, four to a byte, the first
/// in the low bits, so that the length of a run is a matter of counting bits, and a run can be
/// moved from the log into a chunk without being decoded. Without a branch a count, encoding takes
/// 1.7 ns a count and decoding 2.0 (64 buckets of mixed size); LEB128 took 4.7 to encode.
enum CountRun {
  /// The bytes that a run of `count` counts takes at most, with room to store the last one whole.
  static func bound(_ count: Int) -> Int { (count + 3) / 4 + count * 8 + 8 }

  /// Appends a run.
  static func write(_ counts: UnsafeBufferPointer<UInt64>, to writer: inout ByteWriter) {
    let start = writer.reserve(bound(counts.count))
    guard let source = counts.baseAddress else { return }
    var widths = start
    var values = start + (counts.count + 3) / 4
    var index = 0
    while index &+ 4 <= counts.count {
      // All four widths before the first store: so they are computed side by side.
      let (a, b, c, d) = (source[index], source[index &+ 1], source[index &+ 2], source[index &+ 3])
      let (tagA, tagB, tagC, tagD) = (tag(a), tag(b), tag(c), tag(d))
      values.storeBytes(of: a, as: UInt64.self)
      values += 1 &<< tagA
      values.storeBytes(of: b, as: UInt64.self)
      values += 1 &<< tagB
      values.storeBytes(of: c, as: UInt64.self)
      values += 1 &<< tagC
      values.storeBytes(of: d, as: UInt64.self)
      values += 1 &<< tagD
      let tags = tagA | tagB &<< 2 | tagC &<< 4 | tagD &<< 6
      widths.storeBytes(of: UInt8(truncatingIfNeeded: tags), as: UInt8.self)
      widths += 1
      index &+= 4
    }
    if index < counts.count {
      var tags = 0
      for (place, count) in counts[index...].enumerated() {
        values.storeBytes(of: count, as: UInt64.self)
        values += 1 &<< tag(count)
        tags |= tag(count) &<< (2 &* place)
      }
      widths.storeBytes(of: UInt8(truncatingIfNeeded: tags), as: UInt8.self)
    }
    writer.advance(by: values - start)
  }

  /// Appends a run.
  static func write(_ counts: [UInt64], to writer: inout ByteWriter) {
    counts.withUnsafeBufferPointer { write($0, to: &writer) }
  }

  /// Checks a run of `count` counts and skips it.
  ///
  /// - Returns: Where it starts; it ends where `reader` then stands.
  static func skip(_ count: Int, in reader: inout ByteReader) throws(CodecError) -> Int {
    guard count <= reader.remaining else {
      throw .truncated(at: reader.position, expected: count, found: reader.remaining)
    }
    let start = try reader.take(widthsSize(count))
    _ = try reader.take(size(of: count, widths: start, in: reader.bytes))
    return start
  }

  /// The bytes that the widths of `count` counts take.
  static func widthsSize(_ count: Int) -> Int { (count + 3) / 4 }

  /// The bytes that `count` counts take, by the widths that stand at `widths`.
  static func size(
    of count: Int,
    widths: Int,
    in bytes: UnsafeRawBufferPointer
  ) throws(CodecError) -> Int {
    var size = count
    var place = widths
    var left = count
    while left >= 32 {
      size &+= extra(bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
      place &+= 8
      left &-= 32
    }
    if left > 0 {
      var tags: UInt64 = 0
      for byte in 0..<(left + 3) / 4 { tags |= UInt64(bytes[place + byte]) &<< (8 &* byte) }
      guard tags &>> (2 &* left) == 0 else {
        throw CodecError("byte \(widths): expected no width after the last of \(count) counts")
      }
      size &+= extra(tags)
    }
    return size
  }

  /// Reads a run of `count` counts.
  static func read(_ count: Int, from reader: inout ByteReader) throws(CodecError) -> [UInt64] {
    let widths = try skip(count, in: &reader)
    let (values, bytes) = (widths + widthsSize(count), reader.bytes)
    return [UInt64](unsafeUninitializedCapacity: count) { counts, initialized in
      if let counts = counts.baseAddress {
        decode(count, widths: widths, values: values, in: bytes, into: counts)
      }
      initialized = count
    }
  }

  /// Decodes counts that ``skip(_:in:)`` or ``size(of:widths:in:)`` has checked into memory for `count` of them.
  static func decode(
    _ count: Int,
    widths start: Int,
    values: Int,
    in bytes: UnsafeRawBufferPointer,
    into counts: UnsafeMutablePointer<UInt64>
  ) {
    var widths = start
    var position = values
    var index = 0
    // Four counts a turn, as long as eight bytes can be read wherever the last of them starts.
    while index &+ 4 <= count, position &+ 32 <= bytes.count {
      var tags = UInt64(bytes[widths])
      for place in 0..<4 {
        let width = 8 &<< (tags & 3)
        tags = tags &>> 2
        let word = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
        (counts + index + place).initialize(to: word & (~0 &>> (64 &- width)))
        position &+= Int(truncatingIfNeeded: width &>> 3)
      }
      widths &+= 1
      index &+= 4
    }
    while index < count {
      let width = 1 &<< (Int(bytes[widths]) &>> (2 &* (index & 3)) & 3)
      let count = (0..<width).reduce(0) { $0 | UInt64(bytes[position + $1]) &<< UInt64(8 * $1) }
      (counts + index).initialize(to: count)
      position &+= width
      index &+= 1
      if index & 3 == 0 { widths &+= 1 }
    }
  }

  /// The width of a count: 0 for 1 byte, 1 for 2, 2 for 4, 3 for 8.
  @inline(__always)
  private static func tag(_ count: UInt64) -> Int {
    let bytes = (63 &- (count | 1).leadingZeroBitCount) &>> 3
    return (0b11_11_11_11_10_10_01_00 &>> (2 &* bytes)) & 3
  }

  /// What 32 widths add to one byte a count: 1 << tag is 1 + low + 3 high + 3 (low and high).
  @inline(__always)
  private static func extra(_ tags: UInt64) -> Int {
    let low = tags & 0x5555_5555_5555_5555
    let high = (tags &>> 1) & 0x5555_5555_5555_5555
    return low.nonzeroBitCount &+ 3 &* high.nonzeroBitCount &+ 3 &* (low & high).nonzeroBitCount
  }
}
