import Query
import RunStore
import TelemetryTesting
import Testing

@Suite("Heatmap cells")
struct HeatmapCellsTests {
  @Test("show what a downsampler finds of each row's series", arguments: UInt64(1)...6)
  func cells(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for round in 0..<40 {
      let first = UInt64.random(in: 0...1000, using: &generator)
      let steps = first...first + UInt64.random(in: 0...900, using: &generator)
      let columns = Int.random(in: 1...60, using: &generator)
      let grid = HeatmapGrid(steps: steps, maximumColumns: columns)
      let parts = Self.parts(ofRows: 3, over: steps, using: &generator)
      for statistic in SeriesPoints.Statistic.allCases {
        var cells = grid.cells(rows: parts.count)
        // As a store gives them: the first part of each row, the second of each row, and so on.
        for place in 0..<(parts.map(\.count).max() ?? 0) {
          for (row, parts) in parts.enumerated() where place < parts.count {
            cells.add(parts[place], row: row)
          }
        }
        for (row, parts) in parts.enumerated() {
          let place: Comment = "seed \(seed), round \(round), row \(row), \(statistic)"
          let found = cells.row(row, of: UInt32(row), statistic)
          try Self.expect(found, parts, of: grid, over: steps, columns, statistic, place)
        }
      }
    }
  }

  private static func expect(
    _ found: HeatmapGrid.Row?,
    _ parts: [SeriesPart],
    of grid: HeatmapGrid,
    over steps: ClosedRange<UInt64>,
    _ columns: Int,
    _ statistic: SeriesPoints.Statistic,
    _ place: Comment
  ) throws {
    var downsampler = Downsampler(steps: steps, maximumPoints: columns)
    for part in parts { downsampler.add(part) }
    let points = downsampler.finish()
    guard let found else {
      try #require(points.steps.isEmpty, place)
      return
    }
    try #require(found.values.count == grid.firstSteps.count, place)
    var taken = 0
    for column in grid.firstSteps.indices {
      let isThere =
        taken < points.steps.count
        && (column + 1 == grid.firstSteps.count
          || points.steps[taken] < grid.firstSteps[column + 1])
      try #require(found.counts[column] == (isThere ? UInt32(points.count[taken]) : 0), place)
      let others = isThere ? UInt32(points.nonFiniteCount[taken]) : 0
      try #require(found.nonFiniteCounts[column] == others, place)
      let value = isThere ? Float(points[statistic][taken]) : .nan
      let isSame = found.values[column] == value || found.values[column].isNaN && value.isNaN
      try #require(isSame, "\(place), column \(column)")
      taken += isThere ? 1 : 0
    }
    try #require(taken == points.steps.count, place)
  }

  /// Parts of each row: measurements, and points of 4 steps each; rows mostly share their steps.
  private static func parts(
    ofRows count: Int,
    over steps: ClosedRange<UInt64>,
    using generator: inout SeededGenerator
  ) -> [[SeriesPart]] {
    var rows = [[SeriesPart]](repeating: [], count: count)
    var next = steps.lowerBound
    while next <= steps.upperBound {
      let end = min(next + UInt64.random(in: 0...120, using: &generator), steps.upperBound)
      let shared = Array(next...end)
      let arePoints = Bool.random(using: &generator)
      var pointSteps: [UInt64] = []
      for row in rows.indices where Int.random(in: 0..<8, using: &generator) > 0 {
        let isWhole = Int.random(in: 0..<4, using: &generator) > 0
        let chosen = isWhole ? shared : shared.filter { _ in Bool.random(using: &generator) }
        guard let lowest = chosen.first, let highest = chosen.last else { continue }
        var slice = SeriesSlice()
        slice.steps = chosen
        slice.values = chosen.map { _ in value(using: &generator) }
        guard arePoints else {
          rows[row].append(.measurements(slice))
          continue
        }
        let count = max(1, Int(highest - lowest + 1) / 4)
        var finer = Downsampler(steps: lowest...highest, maximumPoints: count)
        finer.add(.measurements(slice))
        var points = finer.finish()
        // One array for those that are alike, as in a rollup.
        if points.steps == pointSteps {
          points.steps = pointSteps
        } else {
          pointSteps = points.steps
        }
        rows[row].append(.points(points))
      }
      next = end + 1
    }
    return rows
  }

  private static func value(using generator: inout SeededGenerator) -> Double {
    switch Int.random(in: 0..<10, using: &generator) {
    case 0: .nan
    case 1: .infinity
    case 2: -.infinity
    default: Double(Float.random(in: -1...1, using: &generator))
    }
  }
}
