#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// A number that the engine computes with: `Float` to train, `Double` to check a derivative.
///
/// The only place that calls the C library. Its functions may differ in the last bit from one C
/// library, or one processor, to another, so a run repeats bit for bit on the same machine only.
public protocol TrainingScalar: BinaryFloatingPoint, Sendable {
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
}

extension Float: TrainingScalar {
  /// Returns e to the power of `x`.
  public static func exponential(_ x: Float) -> Float { exp(x) }
  /// Returns the logarithm to base e.
  public static func naturalLogarithm(_ x: Float) -> Float { log(x) }
  /// Returns the hyperbolic tangent.
  public static func hyperbolicTangent(_ x: Float) -> Float { tanh(x) }
  /// Returns the cosine of `x` radians.
  public static func cosine(_ x: Float) -> Float { cos(x) }
  /// Returns the sine of `x` radians.
  public static func sine(_ x: Float) -> Float { sin(x) }
  /// Returns `base` to the power of `exponent`.
  public static func power(_ base: Float, _ exponent: Float) -> Float { pow(base, exponent) }
}

extension Double: TrainingScalar {
  /// Returns e to the power of `x`.
  public static func exponential(_ x: Double) -> Double { exp(x) }
  /// Returns the logarithm to base e.
  public static func naturalLogarithm(_ x: Double) -> Double { log(x) }
  /// Returns the hyperbolic tangent.
  public static func hyperbolicTangent(_ x: Double) -> Double { tanh(x) }
  /// Returns the cosine of `x` radians.
  public static func cosine(_ x: Double) -> Double { cos(x) }
  /// Returns the sine of `x` radians.
  public static func sine(_ x: Double) -> Double { sin(x) }
  /// Returns `base` to the power of `exponent`.
  public static func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }
}
