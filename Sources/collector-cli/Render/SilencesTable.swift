import TelemetryWire
import TerminalOutput

/// Silences as a table and as records.
enum SilencesTable {
  private static let columns = [
    "silence_id", "rule", "project", "run_id", "layer", "ends_at", "created_at", "author",
    "comment",
  ]

  private static func fields(of silence: Gradwatch_V1_Silence) -> [DelimitedText.Field] {
    [
      .text(silence.silenceID), .text(silence.rule), .text(silence.project), .text(silence.runID),
      .text(silence.layer), .text(silence.endsAt.text), .text(silence.createdAt.text),
      .text(silence.author), .text(silence.comment),
    ]
  }

  /// Writes them in the form asked for.
  static func write(_ silences: [Gradwatch_V1_Silence], to output: Output) throws {
    try output.write(silences, member: "silences", columns: columns, row: fields) {
      guard !silences.isEmpty else { return "no silences\n" }
      var table = Table(columns: [
        .init("RULE"), .init("PROJECT", truncation: .end), .init("RUN", truncation: .middle),
        .init("LAYER", truncation: .middle), .init("UNTIL"), .init("BY", truncation: .end),
        .init("SILENCE"), .init("COMMENT", truncation: .end),
      ])
      for silence in silences {
        table.append([
          Table.Cell(silence.rule, .emphasis), Table.Cell(silence.project),
          Table.Cell(silence.runID), Table.Cell(silence.layer), Table.Cell(silence.endsAt.text),
          Table.Cell(silence.author), Table.Cell(silence.silenceID, .faint),
          Table.Cell(silence.comment),
        ])
      }
      table.removeEmptyColumns()
      return table.rendered(on: output.terminal)
    }
  }
}
