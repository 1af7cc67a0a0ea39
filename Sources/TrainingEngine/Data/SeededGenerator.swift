/// A random generator that repeats itself for a seed: SplitMix64.
///
/// Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014; the constants are
/// those of Vigna's reference implementation (https://prng.di.unimi.it/splitmix64.c). One number of
/// 64 bits is the whole state, and every seed is a good one. The standard library's own
/// distributions and `shuffle` may change with its version, so the few that training needs are
/// here.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// Makes the generator of a seed.
  public init(seed: UInt64) { state = seed }

  /// Draws 64 random bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var bits = state
    bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
    return bits ^ (bits >> 31)
  }

  /// Draws a number from `lower` to below `upper`, of 53 random bits.
  public mutating func nextUniform(from lower: Double = 0, to upper: Double = 1) -> Double {
    lower + (upper - lower) * (Double(next() >> 11) * 0x1p-53)
  }

  /// Draws a normal deviate of mean 0 and variance 1.
  ///
  /// Box and Muller, "A Note on the Generation of Random Normal Deviates", 1958; the second deviate
  /// of each pair is dropped, so that one draw is always two words. The largest possible is about
  /// 8.6.
  public mutating func nextNormal() -> Double {
    // 1 - u is in (0, 1], where the logarithm is finite.
    let radius = (-2 * Double.naturalLogarithm(1 - nextUniform())).squareRoot()
    return radius * Double.cosine(2 * Double.pi * nextUniform())
  }

  /// Returns the numbers from 0 to below `count` in random order, after Fisher and Yates.
  ///
  /// The high half of a 64 by 64 bit product picks each place; its bias is below `count` / 2⁶⁴.
  public mutating func nextPermutation(count: Int) -> [Int] {
    var order = Array(0..<count)
    for last in order.indices.dropFirst().reversed() {
      order.swapAt(last, Int(next().multipliedFullWidth(by: UInt64(last + 1)).high))
    }
    return order
  }
}
