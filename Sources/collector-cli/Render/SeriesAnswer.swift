import TelemetryWire
import TerminalOutput

/// How series of values are written: as they arrive for programs, as a whole for people.
struct SeriesAnswer<Part: SeriesPart>: Sendable {
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

  /// Reads the answer with `read` and writes it.
  ///
  /// - Returns: Whether there was any point.
  func write(
    _ read: (@escaping @Sendable (Part) throws -> Void) async throws -> Void
  ) async throws -> Bool {
    let parts = Parts<Part>()
    switch output.format {
    case _ where isPlot: try await read { parts.take($0) }
    case .jsonl:
      let seen = Occurrence()
      try await read { part in
        seen.raise()
        try output.write(line: part)
      }
      return seen.isRaised
    case .csv: return try await writeLines(as: .comma, read)
    case .tsv: return try await writeLines(as: .tab, read)
    case .json, .table: try await read { parts.take($0) }
    }
    let series = parts.messages
    if !isPlot, output.format == .json {
      let list = JSONText.array(try series.map(Output.json))
      try output.write(document: JSONText.object(["series": list]))
    } else if !series.isEmpty {
      try output.write(isPlot ? drawing(of: series) : table(of: series))
    }
    return !series.isEmpty
  }

  private func writeLines(
    as text: DelimitedText,
    _ read: (@escaping @Sendable (Part) throws -> Void) async throws -> Void
  ) async throws -> Bool {
    let columns = Gradwatch_V1_SeriesColumns.columns(isFullResolution: isFullResolution)
    try output.write(text.header(Part.identityColumns + columns))
    let seen = Occurrence()
    try await read { part in
      seen.raise()
      let identity = part.identity.map { DelimitedText.Field.text($0) }
      var lines = ""
      for index in 0..<part.points.pointCount {
        lines += text.line(identity + part.points.fields(index))
      }
      try output.write(lines)
    }
    return seen.isRaised
  }

  private func drawing(of series: [Part]) -> String {
    guard series.count > Self.mostPlots, !drawsAll else {
      return series.map { part in
        var plot = LinePlot(
          title: "\(part.subject)  \(quantity)  \(part.producerID)",
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
    let room = output.terminal.layoutColumns - min(names, 32) - 34
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
          Sparkline.render(part.points.peaks, columns: max(room, 8), on: output.terminal.plain)
        ),
      ])
    }
    return table.rendered(on: output.terminal)
  }

  private func table(of series: [Part]) -> String {
    let columns =
      Part.identityColumns + Gradwatch_V1_SeriesColumns.columns(isFullResolution: isFullResolution)
    var table = Table(
      columns: columns.enumerated().map { index, name in
        index < Part.identityColumns.count
          ? .init(name.uppercased(), truncation: .middle)
          : .init(name.uppercased(), alignment: .trailing)
      }
    )
    for part in series {
      let identity = part.identity.map { Table.Cell($0) }
      for index in 0..<part.points.pointCount {
        table.append(identity + part.points.fields(index).map(Table.Cell.init))
      }
    }
    return table.rendered(on: output.terminal)
  }
}
