import TelemetryWire
import TerminalOutput

/// What was done about a run, as a table and as records.
enum AnnotationsTable {
  /// The columns for programs.
  static let columns = ["step", "producer_id", "action", "detail", "alert_id", "received_at"]

  /// The fields of an annotation, in the columns' order.
  static func fields(of entry: Gradwatch_V1_AnnotationEntry) -> [DelimitedText.Field] {
    let annotation = entry.annotation
    return [
      .integer(entry.step), .text(entry.producerID), .text(annotation.action),
      .text(annotation.detail), .text(annotation.alertID), .text(entry.receivedAt.text),
    ]
  }

  /// The table for people.
  ///
  /// - Parameters:
  ///   - annotations: The annotations.
  ///   - showsProducer: Whether they may be of several producers.
  ///   - terminal: Where the table goes.
  /// - Returns: The lines, each with its line feed.
  static func rendered(
    _ annotations: [Gradwatch_V1_AnnotationEntry],
    showsProducer: Bool,
    on terminal: Terminal
  ) -> String {
    guard !annotations.isEmpty else { return "no annotations\n" }
    var table = Table(columns: [
      .init("STEP", alignment: .trailing), .init("ACTION"), .init("DETAIL", truncation: .end),
      .init("ANSWERS ALERT"), .init("PRODUCER", truncation: .middle), .init("WHEN"),
    ])
    for entry in annotations {
      table.append([
        "\(entry.step)", Table.Cell(entry.annotation.action, .emphasis),
        Table.Cell(entry.annotation.detail), Table.Cell(entry.annotation.alertID, .faint),
        Table.Cell(showsProducer ? entry.producerID : ""), Table.Cell(entry.receivedAt.age, .faint),
      ])
    }
    table.removeEmptyColumns()
    return table.rendered(on: terminal)
  }
}
