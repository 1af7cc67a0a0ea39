import Testing
import TrainingEngine

@Suite("Initializers")
struct InitializerTests {
  private static let (fanIn, fanOut) = (300, 200)

  private func draw(_ initializer: Initializer) -> [Double] {
    var generator = SeededGenerator(seed: 31)
    let array: NDArray<Double> = initializer.makeArray(
      shape: [Self.fanIn, Self.fanOut],
      fanIn: Self.fanIn,
      fanOut: Self.fanOut,
      using: &generator
    )
    #expect(array.shape == [Self.fanIn, Self.fanOut])
    return array.elements
  }

  /// A distribution's moments and its largest magnitude.
  struct Distribution: Sendable {
    let initializer: Initializer
    var mean = 0.0
    let variance: Double
    let bound: Double
  }

  /// From the formulas of Keras's documentation, with fan-in 300 and fan-out 200.
  static let distributions: [Distribution] = [
    Distribution(initializer: .randomUniform(-1, 1), variance: 0.33333, bound: 1),
    Distribution(initializer: .randomUniform(4, 5), mean: 4.5, variance: 0.083333, bound: 5),
    // √(6 / 500)
    Distribution(initializer: .glorotUniform, variance: 0.004, bound: 0.109545),
    // 2 √(2 / 500) / 0.879626
    Distribution(initializer: .glorotNormal, variance: 0.004, bound: 0.143802),
    // 2 √(2 / 300) / 0.879626
    Distribution(initializer: .heNormal, variance: 0.0066667, bound: 0.185648),
  ]

  @Test(
    "weights have the mean, the variance and the bounds of their distribution",
    arguments: distributions
  )
  func moments(_ expected: Distribution) {
    let draws = draw(expected.initializer)
    let moments = Moments(draws)
    // 60,000 draws: four standard errors of the mean; the variance to 3 %.
    let standardError = (expected.variance / 60_000).squareRoot()
    #expect((moments.mean - expected.mean).magnitude < 4 * standardError)
    #expect((moments.variance / expected.variance - 1).magnitude < 0.03)
    let largest = draws.map(\.magnitude).max() ?? 0
    #expect(largest <= expected.bound)
    #expect(largest > 0.999 * expected.bound)
  }

  @Test("zeros are zeros")
  func zeros() {
    #expect(draw(.zeros).allSatisfy { $0 == 0 })
  }

  @Test("names are those of Keras")
  func names() {
    #expect(Initializer.randomUniform(-1, 1).name == "random_uniform(-1.0, 1.0)")
    #expect(Initializer.glorotNormal.name == "glorot_normal")
  }
}
