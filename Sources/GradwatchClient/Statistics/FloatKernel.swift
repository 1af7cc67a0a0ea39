/// The hot loop over a tensor of `Float`: blocks that fit into the first cache, eight elements at a
/// time.
enum FloatKernel {
  /// Elements of a block: 4 KiB, so that its second loop reads what the first left in the cache.
  static let blockCount = 1024

  /// Lends counters for the exponents of a tensor of `elementCount` elements.
  static func withTally<Value>(elementCount: Int, _ body: (ExponentTally) -> Value) -> Value {
    ExponentTally.with(
      exponentBits: 8,
      significandBits: 23,
      bias: 127,
      elementCount: elementCount,
      body
    )
  }

  /// Adds up all elements, and counts their exponents if there is a tally.
  static func sums(of elements: UnsafeBufferPointer<Float>, tally: ExponentTally?) -> ElementSums {
    var sums = ElementSums()
    var start = 0
    while start < elements.count {
      let end = min(start + blockCount, elements.count)
      let block = UnsafeBufferPointer(rebasing: elements[start..<end])
      if !addFinite(block, to: &sums) {
        for element in block { sums.add(Double(element)) }
      }
      if let tally { count(block, in: tally) }
      start = end
    }
    return sums
  }

  /// Adds up a block of finite elements; returns `false`, and adds nothing, if one is not.
  private static func addFinite(
    _ block: UnsafeBufferPointer<Float>,
    to sums: inout ElementSums
  )
    -> Bool
  {
    var sum = SIMD4<Double>.zero
    var sumHigh = SIMD4<Double>.zero
    var magnitudes = SIMD4<Double>.zero
    var magnitudesHigh = SIMD4<Double>.zero
    var squares = SIMD4<Double>.zero
    var squaresHigh = SIMD4<Double>.zero
    var low = SIMD8<Float>(repeating: .infinity)
    var high = SIMD8<Float>(repeating: -.infinity)
    var zeros = SIMD8<Int32>.zero
    let bytes = UnsafeRawBufferPointer(block)
    let vectorEnd = block.count & ~7
    var index = 0
    while index < vectorEnd {
      let elements = bytes.loadUnaligned(fromByteOffset: 4 * index, as: SIMD8<Float>.self)
      low.replace(with: elements, where: elements .< low)
      high.replace(with: elements, where: elements .> high)
      zeros.replace(with: zeros &+ 1, where: elements .== 0)
      let first = SIMD4<Double>(elements.lowHalf)
      let second = SIMD4<Double>(elements.highHalf)
      sum += first
      sumHigh += second
      magnitudes += first.magnitudes
      magnitudesHigh += second.magnitudes
      squares += first * first
      squaresHigh += second * second
      index += 8
    }
    // No square of a Float overflows a Double, so this is NaN or infinite only if an element is.
    var blockSums = ElementSums()
    blockSums.squares = (squares + squaresHigh).sum()
    guard blockSums.squares.isFinite else { return false }
    blockSums.finiteCount = UInt64(vectorEnd)
    blockSums.sum = (sum + sumHigh).sum()
    blockSums.magnitudes = (magnitudes + magnitudesHigh).sum()
    blockSums.min = Double(low.min())
    blockSums.max = Double(high.max())
    blockSums.zeroCount = UInt64(zeros.wrappedSum())
    while index < block.count {
      blockSums.add(Double(block[index]))
      index += 1
    }
    sums.add(blockSums)
    return true
  }

  private static func count(_ block: UnsafeBufferPointer<Float>, in tally: ExponentTally) {
    // Pointers in locals: a load of a buffer's base in each turn would cost as much as the count.
    guard let base = block.baseAddress, let first = tally.counters.baseAddress else { return }
    let stride = tally.copies > 1 ? tally.patternCount : 0
    let second = first + stride
    let third = second + stride
    let fourth = third + stride
    let vectorEnd = block.count & ~3
    var index = 0
    while index < vectorEnd {
      first[Int(base[index].bitPattern >> 23)] &+= 1
      second[Int(base[index + 1].bitPattern >> 23)] &+= 1
      third[Int(base[index + 2].bitPattern >> 23)] &+= 1
      fourth[Int(base[index + 3].bitPattern >> 23)] &+= 1
      index += 4
    }
    while index < block.count {
      first[Int(base[index].bitPattern >> 23)] &+= 1
      index += 1
    }
  }
}

extension SIMD4<Double> {
  /// The magnitude of each lane: its bits without the sign.
  fileprivate var magnitudes: Self {
    let bits = unsafeBitCast(self, to: SIMD4<UInt64>.self)
    return unsafeBitCast(bits & SIMD4<UInt64>(repeating: 0x7fff_ffff_ffff_ffff), to: Self.self)
  }
}

extension ElementSums {
  /// Adds what another pass added up.
  fileprivate mutating func add(_ other: ElementSums) {
    finiteCount += other.finiteCount
    sum += other.sum
    magnitudes += other.magnitudes
    squares += other.squares
    min = Swift.min(min, other.min)
    max = Swift.max(max, other.max)
    zeroCount += other.zeroCount
    nanCount += other.nanCount
    positiveInfinityCount += other.positiveInfinityCount
    negativeInfinityCount += other.negativeInfinityCount
  }
}
