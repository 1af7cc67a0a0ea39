import Testing
import TrainingEngine

@Suite("Random numbers")
struct SeededGeneratorTests {
  @Test("the words are those of the reference implementation of SplitMix64")
  func reference() {
    var generator = SeededGenerator(seed: 1_234_567)
    let words = (0..<5).map { _ in generator.next() }
    #expect(
      words == [
        6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
        4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
      ]
    )
  }

  @Test("uniform deviates stay in their bounds and have their mean and variance")
  func uniform() {
    var generator = SeededGenerator(seed: 21)
    let draws = (0..<100_000).map { _ in generator.nextUniform(from: 2, to: 5) }
    #expect(draws.allSatisfy { $0 >= 2 && $0 < 5 })
    let moments = Moments(draws)
    // Standard errors 0.0027 and 0.0021: four of them.
    #expect((moments.mean - 3.5).magnitude < 0.011)
    #expect((moments.variance - 0.75).magnitude < 0.0085)
  }

  @Test("normal deviates have mean 0, variance 1, and the normal's share beyond 2")
  func normal() {
    var generator = SeededGenerator(seed: 22)
    let draws = (0..<100_000).map { _ in generator.nextNormal() }
    let moments = Moments(draws)
    #expect(moments.mean.magnitude < 0.013)
    #expect((moments.variance - 1).magnitude < 0.018)
    let share = Double(draws.filter { $0.magnitude > 2 }.count) / 100_000
    #expect((share - 0.0455).magnitude < 0.0027)
  }

  @Test("a permutation has every number once, and every order equally often")
  func permutation() {
    var generator = SeededGenerator(seed: 23)
    #expect(generator.nextPermutation(count: 100).sorted() == Array(0..<100))
    #expect(generator.nextPermutation(count: 0) == [])
    var counts: [[Int]: Int] = [:]
    for _ in 0..<6000 { counts[generator.nextPermutation(count: 3), default: 0] += 1 }
    // 1000 each, standard deviation 29.
    #expect(counts.count == 6)
    #expect(counts.values.allSatisfy { abs($0 - 1000) < 120 }, "\(counts)")
  }
}
