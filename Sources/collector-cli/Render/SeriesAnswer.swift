import TelemetryWire
import TerminalOutput

/// Series of values over steps: a row a point for programs, lines for people.
struct SeriesAnswer<Part: SeriesPart>: StreamedAnswer {
  /// Where they go.
  let output: Output
  /// Whether to draw them.
  let isPlot: Bool
  /// Whether the person asked for drawings, however many.
  let drawsAll: Bool
  /// What is measured, in words.
  let quantity: String
  /// Whether points are single measurements.
  let isFullResolution: Bool

  /// More series than these are shown a line each, unless drawings were asked for.
  private static var mostPlots: Int { 4 }

  var member: String { "series" }

  var columns: [String] {
    Part.identityColumns + Gradwatch_V1_SeriesColumns.columns(isFullResolution: isFullResolution)
  }

  func rows(of part: Part) -> [[DelimitedText.Field]] {
    let identity = part.identity.map { DelimitedText.Field.text($0) }
    return (0..<part.points.pointCount).map { identity + part.points.fields($0) }
  }

  func drawing(of series: [Part]) -> String {
    guard series.count > Self.mostPlots, !drawsAll else {
      return series.map { part in
        var plot = LinePlot(
          title: [part.subject, quantity, part.producerID].filter { !$0.isEmpty }
            .joined(separator: "  "),
          points: part.points.plotPoints
        )
        plot.last = part.points.last.last
        return plot.rendered(on: output.terminal)
      }.joined(separator: "\n")
    }
    Diagnostics.write(
      "\(series.count) series, a line each: select fewer, or say --plot, to draw every one"
    )
    return overview(of: series)
  }

  /// A line a series, with as much of its course as the terminal has room for.
  private func overview(of series: [Part]) -> String {
    let names = series.map(\.subject.displayWidth).max() ?? 0
    // The three columns of figures are at most 10 wide each, and there are four gaps.
    let room = max(output.terminal.layoutColumns - min(names, 32) - 38, 8)
    let axis = CourseAxis(series.map(\.points), parts: room)
    var table = Table(columns: [
      .init("SERIES", truncation: .middle), .init("LAST", alignment: .trailing),
      .init("MIN", alignment: .trailing), .init("MAX", alignment: .trailing), .init("COURSE"),
    ])
    for part in series {
      let points = part.points.plotPoints
      let low = points.map(\.low).filter(\.isFinite).min() ?? .nan
      let high = points.map(\.high).filter(\.isFinite).max() ?? .nan
      table.append([
        Table.Cell(part.subject), Table.Cell(number: part.points.last.last ?? .nan),
        Table.Cell(number: low), Table.Cell(number: high),
        Table.Cell(
          Sparkline.render(axis.course(of: part.points), on: output.terminal.plain)
        ),
      ])
    }
    return table.rendered(on: output.terminal)
  }
}
