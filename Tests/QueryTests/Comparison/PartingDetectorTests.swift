import Query
import Telemetry
import TelemetryTesting
import Testing

@Suite("Where two series part")
struct PartingDetectorTests {
  /// The noise of small batches: log-normal, from a sum of uniform numbers.
  private static func noise(
    _ deviation: Double,
    using generator: inout SeededGenerator
  ) -> Double {
    let sum = (0..<12).reduce(0.0) { sum, _ in sum + Double.random(in: 0...1, using: &generator) }
    // e^x to first order is enough for a test, and never below 0.
    return max(1 + (sum - 6) * deviation, 0.05)
  }

  private func parting(
    _ pairs: [(Double?, Double?)],
    apart: Bool = false,
    bound: Double = ComparisonOptions.standardBound,
    persistence: Int = 3
  ) -> Parting? {
    var detector = PartingDetector(bound: bound, persistence: persistence)
    if apart { detector.beginApart() }
    for (step, pair) in pairs.enumerated() {
      detector.add(step: UInt64(step), a: pair.0, b: pair.1)
    }
    detector.finish()
    return detector.parting
  }

  @Test("equal series part nowhere, whatever is in them")
  func equal() {
    let values: [Double] = [
      1, 0, -0.0, 1e-300, 1e300, -3, .nan, .infinity, -.infinity, .leastNonzeroMagnitude,
    ]
    #expect(parting(values.map { ($0, $0) }) == nil)
    #expect(parting([]) == nil)
    #expect(parting([(0.0, -0.0), (.nan, .infinity)]) == nil)
  }

  @Test("a ratio above the bound for three steps in a row is a parting at the first of them")
  func persistence() {
    func series(_ length: Int) -> [(Double?, Double?)] {
      (0..<40).map { ((20..<20 + length).contains($0) ? 2.01 : 1, 1) }
    }
    #expect(parting(series(2)) == nil)
    let found = parting(series(3))
    #expect(found?.step == 20)
    #expect(found?.kind == .ratio)
    #expect(found?.a == 2.01)
    #expect(found?.b == 1)
    #expect(found?.usualLogRatio == 0)
    #expect(found?.band == ComparisonOptions.standardBound)
    #expect(parting(series(2), persistence: 2)?.step == 20)
    #expect(parting(series(20), bound: 0.7) == nil, "ln 2.01 is 0.698")
  }

  @Test("the bound counts both ways, and a factor of two itself is within it")
  func bothWays() {
    for (a, b) in [(1.0, 2.01), (2.01, 1)] {
      #expect(parting((0..<9).map { $0 < 5 ? (1, 1) : (a, b) })?.step == 5)
    }
    #expect(parting((0..<9).map { $0 < 5 ? (1, 1) : (2, 1) }) == nil)
    #expect(parting((0..<9).map { $0 < 5 ? (1, 1) : (1, 2) }) == nil)
  }

  @Test("a slow drift of runs that begin alike is a parting once it reaches the bound")
  func drift() {
    // 1.01^70 is 2.007.
    var value = 1.0
    let series: [(Double?, Double?)] = (0..<200).map { _ in
      defer { value *= 1.01 }
      return (value, 1)
    }
    #expect(parting(series)?.step == 70)
  }

  @Test("NaN or infinity against a finite value needs no second step")
  func nonFinite() {
    for odd in [Double.nan, .infinity, -.infinity] {
      let found = parting([(1, 1), (1, odd), (1, 1), (1, 1)])
      #expect(found?.kind == .nonFinite)
      #expect(found?.step == 1)
      #expect(found?.a == 1)
      #expect(found?.b?.bitPattern == odd.bitPattern)
    }
    // It was on its way there: the parting is where it left.
    #expect(parting([(1, 1), (1, 9), (1, 900), (1, .infinity)])?.step == 1)
  }

  @Test("zero against a value, another sign, and a value that only one run has must stay so")
  func discreteDifferences() {
    for (pair, kind) in [
      ((0.0, 1.0) as (Double?, Double?), Parting.Kind.ratio), ((-1, 1), .ratio),
      ((nil, 1), .presence), ((1, nil), .presence),
    ] {
      #expect(parting([(1, 1), pair, pair, (1, 1), pair, pair, (1, 1)]) == nil)
      let found = parting([(1, 1), pair, (1, 1), pair, pair, pair])
      #expect(found?.step == 3)
      #expect(found?.kind == kind)
    }
    #expect(parting(Array(repeating: (nil, nil), count: 9)) == nil)
  }

  @Test(
    "the scatter between two seeds is no parting, and a fault after it is one",
    arguments: 1...20 as ClosedRange<UInt64>
  )
  func scatter(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let healthy: [(Double?, Double?)] = (0..<1000).map { step in
      let level = 1 / (1 + Double(step) / 100)
      return (
        level * Self.noise(0.35, using: &generator),
        level * 1.5 * Self.noise(0.35, using: &generator)
      )
    }
    #expect(parting(healthy, apart: true) == nil, "seed \(seed)")
    let faulty = healthy.enumerated().map { step, pair in
      (pair.0, step < 700 ? pair.1 : pair.1.map { $0 * 200 })
    }
    let found = parting(faulty, apart: true)
    #expect(found?.step == 700, "seed \(seed)")
    #expect((found?.usualLogRatio ?? 0) < 0, "seed \(seed)")
  }

  @Test(
    "runs part at the same step whichever of them is a",
    arguments: 1...40 as ClosedRange<UInt64>
  )
  func symmetry(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    // Around the edge of the band, with now and then a zero, whose logarithm is infinite.
    let series: [(Double?, Double?)] = (0..<40).map { _ in
      let isZero = Int.random(in: 0..<8, using: &generator) == 0
      return (isZero ? 0 : Self.noise(2, using: &generator), 1.8 * Self.noise(2, using: &generator))
    }
    let found = parting(series, apart: true)
    let swapped = parting(series.map { ($1, $0) }, apart: true)
    #expect(found?.step == swapped?.step, "seed \(seed)")
    #expect(found?.usualLogRatio == swapped.map { -$0.usualLogRatio }, "seed \(seed)")
  }

  @Test("noise that grows from nothing, as rounding does, is no parting")
  func growingNoise() {
    for seed in 1...20 as ClosedRange<UInt64> {
      var generator = SeededGenerator(seed: seed)
      let series: [(Double?, Double?)] = (0..<2000).map { step in
        (Self.noise(min(0.3, Double(step) / 3000), using: &generator), 1)
      }
      #expect(parting(series) == nil, "seed \(seed)")
    }
  }

  @Test("runs whose levels are far apart from the first step on part there")
  func startApart() {
    let series: [(Double?, Double?)] = (0..<100).map { (100 + Double($0 % 3), 1) }
    let found = parting(series, apart: true)
    #expect(found?.step == 0)
    #expect(found?.a == 100)
    // Fewer steps than the level is learned from are judged at the end.
    #expect(parting(Array(series.prefix(5)), apart: true)?.step == 0)
    #expect(parting(Array(series.prefix(2)), apart: true) == nil)
    #expect(parting((0..<100).map { _ in (3, 1) }, apart: true) == nil, "of another seed")
  }

  @Test("runs that begin apart and come together don't part; they may not pass each other by far")
  func together() {
    func series(to end: Double) -> [(Double?, Double?)] {
      (0..<200).map { step in (step < 40 ? 3.5 : end, 1) }
    }
    #expect(parting(series(to: 1), apart: true) == nil)
    #expect(parting(series(to: 0.3), apart: true) == nil)
    #expect(parting(series(to: 0.2), apart: true)?.step == 40)
    #expect(parting(series(to: 13.9), apart: true) == nil)
    #expect(parting(series(to: 14.1), apart: true)?.step == 40, "four times 3.5 is 14")
  }

  @Test("a run that explodes while its level is learned parts from the first step on")
  func explosionAtOnce() {
    let growing = [1e3, 1e9, 1e18, 1e30].map { (1.0, $0) } as [(Double?, Double?)]
    #expect(parting(growing + [(1, .nan)], apart: true)?.step == 0)
    let paces = [1.5, 1, 1e9, 1e18, 1e30, 1e40].map { (1.0, $0) } as [(Double?, Double?)]
    let found = parting(paces + [(1, .nan)], apart: true)
    #expect(found?.step == 2 && found?.b == 1e9, "two that explode, each at its own pace")
    #expect(parting([(1, 1.5), (1, .nan)], apart: true)?.step == 1, "too few steps for a level")
  }
}
