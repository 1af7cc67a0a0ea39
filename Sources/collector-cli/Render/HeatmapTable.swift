import TelemetryWire
import TerminalOutput

/// A heatmap for people and for programs.
struct HeatmapTable {
  let columns: Gradwatch_V1_HeatmapColumns
  let rows: [Gradwatch_V1_HeatmapRow]

  /// The picture: a cell with anything that is not finite shows that.
  func picture(of run: String, _ quantity: String) -> Heatmap {
    let first = columns.firstSteps.first ?? 0
    return Heatmap(
      title: run,
      quantity: quantity,
      rows: rows.map { row in
        Heatmap.Row(
          label: row.tensorName.isEmpty ? row.layerName : row.tensorName,
          cells: row.values.indices.map { column in
            guard column < row.counts.count, row.counts[column] > 0 else { return nil }
            let isOdd = column < row.nonFiniteCounts.count && row.nonFiniteCounts[column] > 0
            return isOdd ? .nan : Double(row.values[column])
          }
        )
      },
      steps: first...max(first, columns.lastStep)
    )
  }

  /// A line a cell that has a measurement.
  func lines(as text: DelimitedText) -> String {
    var lines = text.header([
      "layer", "tensor", "first_step", "value", "count", "non_finite_count",
    ])
    for row in rows {
      for (column, value) in row.values.enumerated()
      where column < row.counts.count && row.counts[column] > 0
        && column < columns.firstSteps.count
      {
        let odd = column < row.nonFiniteCounts.count ? row.nonFiniteCounts[column] : 0
        lines += text.line([
          .text(row.layerName), .text(row.tensorName),
          .integer(columns.firstSteps[column]), .real(Double(value)),
          .integer(UInt64(row.counts[column])), .integer(UInt64(odd)),
        ])
      }
    }
    return lines
  }
}
