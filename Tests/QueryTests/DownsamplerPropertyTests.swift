import Query
import RunStore
import TelemetryTesting
import Testing

@Suite("Downsampling, at random")
struct DownsamplerPropertyTests {
  private static func value(using generator: inout SeededGenerator) -> Double {
    switch Int.random(in: 0..<12, using: &generator) {
    case 0: .nan
    case 1: .infinity
    case 2: -.infinity
    case 3: Bool.random(using: &generator) ? 1e300 : -1e300
    default: .random(in: -1...1, using: &generator)
    }
  }

  @Test("points hold what brute force finds in their steps", arguments: UInt64(1)...8)
  func bruteForce(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for round in 0..<60 {
      let first = UInt64.random(in: 0...1_000_000, using: &generator)
      let length = UInt64.random(in: 1...2000, using: &generator)
      let range = first...first + length - 1
      let maximumPoints = Int.random(in: 1...300, using: &generator)
      let density = Double.random(in: 0...1, using: &generator)
      let series = range.filter { _ in Double.random(in: 0..<1, using: &generator) < density }
        .map { (step: $0, value: Self.value(using: &generator)) }
      var downsampler = Downsampler(steps: range, maximumPoints: maximumPoints)
      for (step, value) in series { downsampler.add(step: step, value: value) }
      let points = downsampler.finish()

      let place: Comment = "seed \(seed), round \(round)"
      try #require(points.steps.count <= maximumPoints, place)
      try #require(points.count.reduce(0, +) == UInt64(series.count), place)
      var start = 0
      for index in points.steps.indices {
        let end = start + Int(points.count[index])
        try #require(end <= series.count, place)
        try check(points, at: index, against: series[start..<end], place)
        start = end
      }
    }
  }

  private func check(
    _ points: SeriesPoints,
    at index: Int,
    against series: ArraySlice<(step: UInt64, value: Double)>,
    _ place: Comment
  ) throws {
    let values = series.map(\.value)
    let finite = values.filter(\.isFinite)
    try #require(points.steps[index] == series.first?.step, place)
    try #require(points.lastSteps[index] == series.last?.step, place)
    try #require(points.last[index].bitPattern == values.last?.bitPattern, place)
    try #require(points.nonFiniteCount[index] == UInt64(values.count - finite.count), place)
    guard let smallest = finite.min(), let largest = finite.max() else {
      try #require(points.min[index].isNaN && points.max[index].isNaN, place)
      try #require(points.mean[index].isNaN, place)
      return
    }
    try #require(points.min[index] == smallest, place)
    try #require(points.max[index] == largest, place)
    // Summed in another order, so not equal to the last bit.
    let mean = finite.reversed().reduce(0) { $0 + $1 / Double(finite.count) }
    let scale = max(abs(smallest), abs(largest))
    try #require(abs(points.mean[index] - mean) <= scale * 1e-12, place)
  }

  @Test(
    "parts are equally wide: no point spans more steps than a part",
    arguments: [UInt64(9), 10]
  )
  func width(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for round in 0..<200 {
      let length = UInt64.random(in: 1...3000, using: &generator)
      let maximumPoints = Int.random(in: 1...400, using: &generator)
      var downsampler = Downsampler(steps: 7...7 + length - 1, maximumPoints: maximumPoints)
      for step in 7..<7 + length { downsampler.add(step: step, value: 0) }
      let points = downsampler.finish()
      // The narrowest width that gives at most so many parts.
      let width = (length + UInt64(maximumPoints) - 1) / UInt64(maximumPoints)
      try #require(
        points.count.dropLast().allSatisfy { $0 == width },
        "seed \(seed), round \(round)"
      )
      try #require((points.count.last ?? 0) <= width, "seed \(seed), round \(round)")
    }
  }
}
