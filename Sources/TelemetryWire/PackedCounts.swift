/// Decodes packed varints, which the counts of histograms are.
///
/// Nine tenths of a report are counts, of one to four bytes in any order, and a branch that guesses a length wrong costs as much as ten
/// counts. So up to four are taken at a time by a table that knows where they are, from two places in turn, neither of which waits for
/// the other. A count then takes 0.5 to 2.5 ns; with a branch for each length 1 to 25, in the generated decoder 5 and more.
enum PackedCounts {
  /// The highest bit of each byte: set in all bytes of a varint but the last.
  private static let goesOn: UInt64 = 0x8080_8080_8080_8080
  /// The least bytes that are left where up to four varints are taken: four of at most nine bytes each begin in them, so that none
  /// is written where the other place has been.
  private static let margin = 32
  /// Room behind the counts: of bytes that are no counts fewer than four may be left where four are written.
  private static let slack = 4

  /// Where the first varints of eight bytes are: up to four, none of them longer than four bytes.
  private struct Lanes {
    /// The bits of each that are its value's.
    var bits = SIMD4<UInt32>(repeating: 0)
    /// The first byte of each.
    var offsets = SIMD4<UInt8>(repeating: 0)
    /// How many there are.
    var count: UInt8 = 0
    /// How many bytes they take.
    var size: UInt8 = 0

    /// Finds them.
    ///
    /// - Parameter mask: A bit for each byte: whether its varint goes on behind it.
    init(_ mask: Int) {
      var start = 0
      while count < 4, start < 8 {
        let length = (~mask >> start).trailingZeroBitCount + 1
        guard length <= 4, start + length <= 8 else { break }
        bits[Int(count)] = 0x7f7f_7f7f >> UInt32(8 * (4 - length))
        offsets[Int(count)] = UInt8(start)
        start += length
        count += 1
        size = UInt8(start)
      }
    }
  }

  private static let lanes = (0..<256).map(Lanes.init)

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
    let counts = [UInt64](unsafeUninitializedCapacity: count + slack) { buffer, initialized in
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
    var middle = start + (end - start) / 2
    while middle > start, (middle - 1).load(as: UInt8.self) >= 0x80 { middle -= 1 }
    var (first, second) = (start, middle)
    var nextFirst = target
    var nextSecond = target + count(from: start, to: middle)
    return lanes.withUnsafeBufferPointer { lanes in
      guard let lanes = lanes.baseAddress else { return false }
      while middle - first >= margin, end - second >= margin {
        guard takeSome(&first, lanes, &nextFirst), takeSome(&second, lanes, &nextSecond)
        else { return false }
      }
      while first < middle { guard takeOne(&first, &nextFirst) else { return false } }
      while second < end { guard takeOne(&second, &nextSecond) else { return false } }
      target = nextSecond
      return true
    }
  }

  /// Takes at least one varint, with ``margin`` bytes behind `source`; what it writes behind them is written again.
  @inline(__always)
  private static func takeSome(
    _ source: inout UnsafeRawPointer,
    _ table: UnsafePointer<Lanes>,
    _ next: inout UnsafeMutablePointer<UInt64>
  ) -> Bool {
    let word = source.loadUnaligned(as: UInt64.self)
    let high = word & goesOn
    guard high != 0 else {
      for place in 0..<8 { (next + place).initialize(to: (word &>> UInt64(8 &* place)) & 0x7f) }
      next += 8
      source += 8
      return true
    }
    // The product's highest byte has the eight bits in order.
    let mask = Int(truncatingIfNeeded: ((high &>> 7) &* 0x0102_0408_1020_4080) &>> 56)
    let lanes = table + mask
    guard lanes.pointee.count > 0 else { return takeOne(&source, &next) }
    let offsets = lanes.pointee.offsets
    var values = SIMD4<UInt32>(
      source.loadUnaligned(fromByteOffset: Int(offsets[0]), as: UInt32.self),
      source.loadUnaligned(fromByteOffset: Int(offsets[1]), as: UInt32.self),
      source.loadUnaligned(fromByteOffset: Int(offsets[2]), as: UInt32.self),
      source.loadUnaligned(fromByteOffset: Int(offsets[3]), as: UInt32.self)
    )
    values &= lanes.pointee.bits
    // Four times 7 bits become two times 14, and those one of 28.
    values = values & 0x007f_007f | (values & 0x7f00_7f00) &>> 1
    values = values & 0x3fff | (values & 0x3fff_0000) &>> 2
    UnsafeMutableRawPointer(next)
      .storeBytes(of: SIMD4<UInt64>(truncatingIfNeeded: values), as: SIMD4<UInt64>.self)
    next += Int(lanes.pointee.count)
    source += Int(lanes.pointee.size)
    return true
  }

  /// Takes the varint at `source`, which is known to end within the bytes; returns whether it is not too long.
  @inline(__always)
  private static func takeOne(
    _ source: inout UnsafeRawPointer,
    _ next: inout UnsafeMutablePointer<UInt64>
  ) -> Bool {
    var value: UInt64 = 0
    for place in 0..<9 {
      let byte = UInt64(source.load(fromByteOffset: place, as: UInt8.self))
      value |= (byte & 0x7f) &<< UInt64(7 &* place)
      if byte < 0x80 {
        next.initialize(to: value)
        next += 1
        source += place &+ 1
        return true
      }
    }
    return false
  }
}
