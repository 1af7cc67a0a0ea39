/// Decodes packed varints, which the counts of histograms are.
///
/// Nine tenths of a report are counts, most of them below 2^14. Eight bytes are looked at together: where they are eight counts of
/// a byte or four of two, no count waits for the length of the one before. A count then takes 0.4 to 1 ns, with a branch for each
/// length 1.2 to 4, in the generated decoder 5.
enum PackedCounts {
  /// The highest bit of each byte: set in all bytes of a varint but the last.
  private static let goesOn: UInt64 = 0x8080_8080_8080_8080
  /// ``goesOn`` where the word is four varints of two bytes.
  private static let fourPairs: UInt64 = 0x0080_0080_0080_0080

  /// Decodes the counts in some parts of a message.
  ///
  /// - Returns: The counts of all parts, in order; `nil` if one is cut off, or longer than 9 bytes.
  static func decode(
    _ parts: [Range<Int>],
    of bytes: UnsafeRawBufferPointer
  ) -> [UInt64]? {
    guard let base = bytes.baseAddress else { return [] }
    var count = 0
    for part in parts {
      guard let last = part.last else { continue }
      guard bytes[last] < 0x80 else { return nil }
      count &+= Self.count(from: base + part.lowerBound, to: base + part.upperBound)
    }
    var isWellFormed = true
    let counts = [UInt64](unsafeUninitializedCapacity: count) { buffer, initialized in
      guard var target = buffer.baseAddress else { return }
      let start = target
      for part in parts where isWellFormed {
        isWellFormed = decode(from: base + part.lowerBound, to: base + part.upperBound, &target)
      }
      initialized = target - start
    }
    return isWellFormed ? counts : nil
  }

  /// The number of varints, which is that of their last bytes.
  private static func count(from start: UnsafeRawPointer, to end: UnsafeRawPointer) -> Int {
    var source = start
    var count = 0
    while end - source >= 8 {
      let last = ~source.loadUnaligned(as: UInt64.self) & goesOn
      // The product's highest byte is the sum of the eight bytes.
      count &+= Int(truncatingIfNeeded: ((last &>> 7) &* 0x0101_0101_0101_0101) &>> 56)
      source += 8
    }
    while source < end {
      count &+= Int(~source.load(as: UInt8.self) &>> 7)
      source += 1
    }
    return count
  }

  /// Decodes all varints up to `end`, where the last one is known to end; returns whether none is too long.
  private static func decode(
    from start: UnsafeRawPointer,
    to end: UnsafeRawPointer,
    _ target: inout UnsafeMutablePointer<UInt64>
  ) -> Bool {
    var source = start
    var next = target
    defer { target = next }
    while end - source >= 8 {
      let word = source.loadUnaligned(as: UInt64.self)
      switch word & goesOn {
      case fourPairs:
        let pairs = word & 0x007f_007f_007f_007f | (word &>> 1) & 0x3f80_3f80_3f80_3f80
        for place in 0..<4 {
          (next + place).initialize(to: (pairs &>> UInt64(16 &* place)) & 0x3fff)
        }
        next += 4
        source += 8
      case 0:
        for place in 0..<8 { (next + place).initialize(to: (word &>> UInt64(8 &* place)) & 0x7f) }
        next += 8
        source += 8
      default:
        guard let value = one(&source) else { return false }
        next.initialize(to: value)
        next += 1
      }
    }
    while source < end {
      guard let value = one(&source) else { return false }
      next.initialize(to: value)
      next += 1
    }
    return true
  }

  /// The varint at `source`, which is known to end within the bytes.
  @inline(__always)
  private static func one(_ source: inout UnsafeRawPointer) -> UInt64? {
    let first = UInt64(source.load(as: UInt8.self))
    if first < 0x80 {
      source += 1
      return first
    }
    let second = UInt64(source.load(fromByteOffset: 1, as: UInt8.self))
    if second < 0x80 {
      source += 2
      return first & 0x7f | second &<< 7
    }
    var value = first & 0x7f | (second & 0x7f) &<< 7
    for place in 2..<9 {
      let byte = UInt64(source.load(fromByteOffset: place, as: UInt8.self))
      value |= (byte & 0x7f) &<< UInt64(7 &* place)
      if byte < 0x80 {
        source += place &+ 1
        return value
      }
    }
    return nil
  }
}
