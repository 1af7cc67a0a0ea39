/// The distribution that a weight's first values are drawn from; fan-in and fan-out scale some of
/// them.
///
/// The formulas are those of Keras's initializers of the same names.
public enum Initializer: Hashable, Sendable {
  /// All 0.
  case zeros
  /// All the same.
  case constant(Double)
  /// Uniform between two bounds, Keras's `RandomUniform`.
  case randomUniform(Double, Double)
  /// Normal of mean 0 and this standard deviation.
  case normal(Double)
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
  /// Uniform within ±√(6 / fan-in); variance 2 / fan-in.
  case heUniform
  /// Normal of variance 1 / fan-in, cut at two standard deviations before scaling.
  ///
  /// LeCun et al., "Efficient BackProp", 1998.
  case leCunNormal
  /// Normal of standard deviation 0.02 / √(2 · layers), for what adds to the residual stream of so
  /// many transformer layers, two sums each.
  ///
  /// Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, section 2.3.
  case scaledNormal(layers: Int)
  /// A matrix whose rows, or columns if those are fewer, are orthogonal and of this length.
  ///
  /// Of a recurrent weight, the square block of each gate on its own. Saxe, McClelland and Ganguli,
  /// "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks", 2013.
  case orthogonal(Double)

  /// The name for people and collectors, such as `glorot_uniform`.
  public var name: String {
    switch self {
    case .zeros: "zeros"
    case .constant(let value): "constant(\(value))"
    case .randomUniform(let lower, let upper): "random_uniform(\(lower), \(upper))"
    case .normal(let deviation): "normal(\(deviation))"
    case .glorotUniform: "glorot_uniform"
    case .glorotNormal: "glorot_normal"
    case .heNormal: "he_normal"
    case .heUniform: "he_uniform"
    case .leCunNormal: "lecun_normal"
    case .scaledNormal(let layers): "scaled_normal(\(layers))"
    case .orthogonal(let gain): "orthogonal(\(gain))"
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
    if case .orthogonal(let gain) = self {
      // The gates of a recurrent weight lie side by side, each as wide as one input reaches.
      let width = min(fanOut, shape[1])
      return Self.orthogonal(shape: shape, width: width, gain: gain, using: &generator)
    }
    let average = Double(fanIn + fanOut) / 2
    var draw: (inout SeededGenerator) -> Double
    switch self {
    case .zeros: draw = { _ in 0 }
    case .constant(let value): draw = { _ in value }
    case .randomUniform(let lower, let upper): draw = { $0.nextUniform(from: lower, to: upper) }
    case .normal(let deviation): draw = { $0.nextNormal() * deviation }
    case .glorotUniform:
      let limit = (3 / average).squareRoot()
      draw = { $0.nextUniform(from: -limit, to: limit) }
    case .heUniform:
      let limit = (6 / Double(fanIn)).squareRoot()
      draw = { $0.nextUniform(from: -limit, to: limit) }
    case .glorotNormal: draw = { $0.nextTruncatedNormal() * (1 / average).squareRoot() }
    case .heNormal: draw = { $0.nextTruncatedNormal() * (2 / Double(fanIn)).squareRoot() }
    case .leCunNormal: draw = { $0.nextTruncatedNormal() * (1 / Double(fanIn)).squareRoot() }
    case .scaledNormal(let layers):
      draw = { $0.nextNormal() * (0.02 / (2 * Double(layers)).squareRoot()) }
    case .orthogonal: draw = { _ in 0 }
    }
    let count = shape.reduce(1, *)
    return NDArray(shape: shape, elements: (0..<count).map { _ in Scalar(draw(&generator)) })
  }

  /// Draws blocks of `width` columns side by side, each orthogonalized row by row (Gram and
  /// Schmidt, twice for precision).
  private static func orthogonal<Scalar: TrainingScalar>(
    shape: [Int],
    width: Int,
    gain: Double,
    using generator: inout SeededGenerator
  ) -> NDArray<Scalar> {
    let (rows, columns) = (shape[0], shape[1])
    var result = NDArray<Scalar>(repeating: 0, shape: shape)
    for block in stride(from: 0, to: columns, by: width) {
      // Of a block with more rows than columns, its columns are orthogonalized.
      let isTall = rows > width
      var basis: [[Double]] = []
      for _ in 0..<min(rows, width) {
        var vector = (0..<max(rows, width)).map { _ in generator.nextNormal() }
        for other in basis + basis {
          let projection = zip(vector, other).reduce(0) { $0 + $1.0 * $1.1 }
          for index in vector.indices { vector[index] -= projection * other[index] }
        }
        let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
        basis.append(vector.map { $0 / length })
      }
      for row in 0..<rows {
        for column in 0..<width {
          let element = isTall ? basis[column][row] : basis[row][column]
          result.elements[row * columns + block + column] = Scalar(gain * element)
        }
      }
    }
    return result
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
