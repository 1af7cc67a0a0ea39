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
    // √(6 / 300)
    Distribution(initializer: .heUniform, variance: 0.0066667, bound: 0.141422),
    // 2 √(1 / 300) / 0.879626
    Distribution(initializer: .leCunNormal, variance: 0.0033333, bound: 0.131273),
  ]

  @Test(
    "normal weights have their standard deviation, and those of the residual stream a smaller one"
  )
  func normal() {
    // 60,000 draws: 3 %.
    let variance = Moments(draw(.normal(0.02))).variance
    #expect((variance / 0.0004 - 1).magnitude < 0.03)
    // 0.02 / √24
    let scaled = Moments(draw(.scaledNormal(layers: 12))).variance
    #expect((scaled / 0.000_016_667 - 1).magnitude < 0.03)
    #expect(Moments(draw(.normal(0.02))).mean.magnitude < 4 * 0.02 / 245)
  }

  @Test(
    "rows, or columns if those are fewer, are orthogonal and as long as told",
    arguments: [(6, 6, 6), (4, 8, 8), (8, 4, 4), (3, 12, 3), (1, 1, 1)]
  )
  func orthogonal(rows: Int, columns: Int, fanOut: Int) {
    var generator = SeededGenerator(seed: 31)
    let weight: NDArray<Double> = Initializer.orthogonal(1.5).makeArray(
      shape: [rows, columns],
      fanIn: rows,
      fanOut: fanOut,
      using: &generator
    )
    // A recurrent weight is as many square blocks as its cell has gates.
    for first in stride(from: 0, to: columns, by: fanOut) {
      let block = NDArray<Double>(
        shape: [rows, fanOut],
        elements: (0..<rows).flatMap { row in
          weight.elements[row * columns + first..<row * columns + first + fanOut]
        }
      )
      let isTall = rows > fanOut
      let gram = block.product(block, transposingSelf: isTall, transposingOther: !isTall)
      let count = min(rows, fanOut)
      let expected = (0..<count * count).map { $0 % (count + 1) == 0 ? 2.25 : 0.0 }
      expectClose(gram.elements, expected, tolerance: 1e-14, "products of rows")
    }
    #expect(weight.elements.contains { $0 < 0 } || rows == 1)
  }

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

  @Test("constants are constant")
  func constants() {
    #expect(draw(.zeros).allSatisfy { $0 == 0 })
    #expect(draw(.constant(0.5)).allSatisfy { $0 == 0.5 })
  }

  @Test("names are those of Keras")
  func names() {
    #expect(Initializer.randomUniform(-1, 1).name == "random_uniform(-1.0, 1.0)")
    let names = [Initializer.glorotNormal, .heUniform, .leCunNormal, .zeros].map(\.name)
    #expect(names == ["glorot_normal", "he_uniform", "lecun_normal", "zeros"])
    #expect(Initializer.orthogonal(1).name == "orthogonal(1.0)")
    #expect(Initializer.scaledNormal(layers: 6).name == "scaled_normal(6)")
    #expect(Initializer.constant(0.25).name == "constant(0.25)")
    #expect(Initializer.normal(0.02).name == "normal(0.02)")
  }
}
