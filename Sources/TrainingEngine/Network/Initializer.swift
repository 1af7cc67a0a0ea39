/// The distribution that a weight's first values are drawn from; fan-in and fan-out scale some of
/// them.
///
/// The formulas are those of Keras's initializers of the same names.
public enum Initializer: Hashable, Sendable {
  /// All 0.
  case zeros
  /// Uniform between two bounds, Keras's `RandomUniform`.
  case randomUniform(Double, Double)
  /// Uniform within ±√(6 / (fan-in + fan-out)); variance 2 / (fan-in + fan-out).
  ///
  /// Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
  /// networks", 2010.
  case glorotUniform
  /// Normal of variance 2 / (fan-in + fan-out), cut at two standard deviations before scaling.
  case glorotNormal
  /// Normal of variance 2 / fan-in, cut at two standard deviations before scaling.
  ///
  /// He et al., "Delving Deep into Rectifiers", 2015.
  case heNormal

  /// The name for people and collectors, such as `glorot_uniform`.
  public var name: String {
    switch self {
    case .zeros: "zeros"
    case .randomUniform(let lower, let upper): "random_uniform(\(lower), \(upper))"
    case .glorotUniform: "glorot_uniform"
    case .glorotNormal: "glorot_normal"
    case .heNormal: "he_normal"
    }
  }

  /// Draws a weight.
  ///
  /// Numbers are drawn in `Double` and rounded, so a bound may be met exactly in `Float`, and
  /// networks of both types start at the same place.
  public func makeArray<Scalar: TrainingScalar>(
    shape: [Int],
    fanIn: Int,
    fanOut: Int,
    using generator: inout SeededGenerator
  ) -> NDArray<Scalar> {
    let average = Double(fanIn + fanOut) / 2
    var draw: (inout SeededGenerator) -> Double
    switch self {
    case .zeros: draw = { _ in 0 }
    case .randomUniform(let lower, let upper): draw = { $0.nextUniform(from: lower, to: upper) }
    case .glorotUniform:
      let limit = (3 / average).squareRoot()
      draw = { $0.nextUniform(from: -limit, to: limit) }
    case .glorotNormal: draw = { $0.nextTruncatedNormal() * (1 / average).squareRoot() }
    case .heNormal: draw = { $0.nextTruncatedNormal() * (2 / Double(fanIn)).squareRoot() }
    }
    let count = shape.reduce(1, *)
    return NDArray(shape: shape, elements: (0..<count).map { _ in Scalar(draw(&generator)) })
  }
}

extension SeededGenerator {
  /// Draws a normal deviate cut at two standard deviations and widened to variance 1 again.
  ///
  /// The standard deviation of a unit normal cut at ±2 is 0.87962566103423978; the constant is that
  /// of Keras's `VarianceScaling`.
  fileprivate mutating func nextTruncatedNormal() -> Double {
    while true {
      let deviate = nextNormal()
      if deviate.magnitude <= 2 { return deviate / 0.87962566103423978 }
    }
  }
}
