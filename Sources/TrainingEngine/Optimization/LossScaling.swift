/// Multiplies the loss, so that small gradients stay within the range of half precision.
///
/// This engine computes in single precision; for the sake of the experiment, gradients are held to
/// the range of half precision: above 65,504 they become infinite, up to 2⁻²⁵ (half of the smallest
/// subnormal) 0. On an infinite or NaN gradient the step is skipped and the scale halved; after
/// `growthInterval` good steps it doubles. Micikevicius et al., "Mixed Precision Training", 2018;
/// PyTorch's `GradScaler` has 65,536 and 2,000.
public struct LossScaling: Hashable, Sendable {
  /// The first scale.
  public var initialScale: Double
  /// After how many steps without overflow the scale doubles.
  public var growthInterval: Int
  /// Whether reports hold gradients that are still multiplied by the scale, as a hook before
  /// `unscale_` sees them.
  public var reportsScaledGradients: Bool

  /// Makes a scaling with these settings.
  public init(
    initialScale: Double = 65_536,
    growthInterval: Int = 2_000,
    reportsScaledGradients: Bool = false
  ) {
    self.initialScale = initialScale
    self.growthInterval = growthInterval
    self.reportsScaledGradients = reportsScaledGradients
  }

  /// Holds a scaled gradient to the range of half precision.
  package static func limited(_ x: Float) -> Float {
    if x.magnitude > 65_504 { return x > 0 ? .infinity : -.infinity }
    // Below its smallest normal number, half precision has the multiples of 2⁻²⁴.
    return x.magnitude < 0x1p-14 ? (x * 0x1p24).rounded(.toNearestOrEven) * 0x1p-24 : x
  }
}
