package import RunStore

/// Rows of a heatmap while they are filled: of those that have a measurement, a cell for each column.
package struct HeatmapCells {
  private let parts: StepParts
  private let columns: Int
  /// Those of each row; none before its first part.
  private var rows: [[SeriesSum]]
  /// The steps of the last part, and the places of those that go to each column: nearly all tensors of a rollup have the same.
  private var steps: [UInt64] = []
  private var runs: [(column: Int, places: Range<Int>)] = []

  /// Makes rows without measurements.
  init(rows: Int, columns: Int, _ parts: StepParts) {
    self.parts = parts
    self.columns = columns
    self.rows = Array(repeating: [], count: rows)
  }

  /// Takes what comes next of a row's series; steps ascend and are in the grid's range.
  package mutating func add(_ part: SeriesPart, row: Int) {
    if rows[row].isEmpty { rows[row] = Array(repeating: SeriesSum(), count: columns) }
    switch part {
    case .measurements(let slice):
      cut(slice.steps)
      for run in runs { rows[row][run.column].add(slice, run.places) }
    case .points(let finer):
      cut(finer.steps)
      for run in runs { rows[row][run.column].add(finer, run.places) }
    }
  }

  /// A row; `nil` if it has no measurement.
  package func row(
    _ row: Int,
    of index: UInt32,
    _ statistic: SeriesPoints.Statistic
  ) -> HeatmapGrid.Row? {
    let cells = rows[row]
    guard !cells.isEmpty else { return nil }
    return HeatmapGrid.Row(
      index: index,
      values: cells.map { Float($0[statistic]) },
      counts: cells.map { UInt32(clamping: $0.count) },
      nonFiniteCounts: cells.map { UInt32(clamping: $0.nonFiniteCount) }
    )
  }

  private mutating func cut(_ next: [UInt64]) {
    // The same array, and not one like it: that is found out at once.
    let isKnown = steps.withUnsafeBufferPointer { known in
      next.withUnsafeBufferPointer {
        $0.baseAddress == known.baseAddress && $0.count == known.count
      }
    }
    guard !isKnown else { return }
    steps = next
    runs.removeAll(keepingCapacity: true)
    var start = 0
    while start < next.count {
      let last = parts.end(of: next[start])
      let end = next[start...].firstIndex { $0 > last } ?? next.count
      runs.append((Int(parts.index(of: next[start])), start..<end))
      start = end
    }
  }
}
