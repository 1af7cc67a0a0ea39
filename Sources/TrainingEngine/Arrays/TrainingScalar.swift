/// A number that the engine computes with: `Float` to train, `Double` to check a derivative.
///
/// `Double` has the functions of the C library. They may differ in the last bit from one C library,
/// or one processor, to another, so a run repeats bit for bit on the same machine only.
public protocol TrainingScalar: BinaryFloatingPoint, BitwiseCopyable, Sendable {
  /// Returns e to the power of `x`; +Inf where that overflows.
  static func exponential(_ x: Self) -> Self
  /// Returns the logarithm to base e; -Inf at 0, NaN below.
  static func naturalLogarithm(_ x: Self) -> Self
  /// Returns the hyperbolic tangent.
  static func hyperbolicTangent(_ x: Self) -> Self
  /// Returns the cosine of `x` radians.
  static func cosine(_ x: Self) -> Self
  /// Returns the sine of `x` radians.
  static func sine(_ x: Self) -> Self
  /// Returns `base` to the power of `exponent`.
  static func power(_ base: Self, _ exponent: Self) -> Self
  /// Returns of the normal distribution the share below `x`, (1 + erf(x/√2)) / 2, and its density
  /// e^(-x²/2) / √(2π).
  static func normalDistribution(_ x: Self) -> (share: Self, density: Self)
  /// Computes C += A · B: A `[rows, depth]` (`[depth, rows]` if it is transposed first), B
  /// `[depth, columns]` (`[columns, depth]`), C `[rows, columns]`.
  static func addProduct(
    _ left: UnsafePointer<Self>,
    _ right: UnsafePointer<Self>,
    transposingLeft: Bool,
    transposingRight: Bool,
    into result: UnsafeMutablePointer<Self>,
    rows: Int,
    depth: Int,
    columns: Int
  )
}

extension TrainingScalar {
  /// Returns 1 / (1 + e⁻ˣ).
  @inline(__always)
  static func sigmoid(_ x: Self) -> Self { 1 / (1 + exponential(-x)) }
}
