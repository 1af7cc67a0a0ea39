#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

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
  /// Returns of the normal distribution the share below `x`, and its density.
  public static func normalDistribution(_ x: Double) -> (share: Double, density: Double) {
    ((1 + erf(x * 0.5.squareRoot())) / 2, exp(-x * x / 2) / (2 * Double.pi).squareRoot())
  }
}
