import TelemetryWire
import TerminalOutput

/// Runs as a table and as records.
enum RunsTable {
  /// The columns for programs.
  static let columns = [
    "run_id", "project", "name", "status", "status_reason", "last_step", "open_critical",
    "open_warning", "open_info", "layers", "tensors", "producers", "framework", "created_at",
    "finished_at", "tags",
  ]

  /// The fields of a run, in the columns' order.
  static func fields(of run: Gradwatch_V1_Run) -> [DelimitedText.Field] {
    [
      .text(run.runID), .text(run.project), .text(run.name), .text(run.status.word),
      .text(run.statusReason), run.hasLastStep ? .integer(run.lastStep) : .missing,
      .integer(UInt64(run.openAlerts.critical)), .integer(UInt64(run.openAlerts.warning)),
      .integer(UInt64(run.openAlerts.info)), .integer(UInt64(run.layerCount)),
      .integer(UInt64(run.tensorCount)), .integer(UInt64(run.producers.count)),
      .text(run.framework), .text(run.createdAt.text),
      run.hasFinishedAt ? .text(run.finishedAt.text) : .missing,
      .text(run.tags.joined(separator: " ")),
    ]
  }

  /// The table for people.
  static func rendered(_ runs: [Gradwatch_V1_Run], on terminal: Terminal) -> String {
    guard !runs.isEmpty else { return "no runs\n" }
    var table = Table(columns: [
      // Whole, so that it can be copied: the ones to the right are cut at the edge.
      .init("RUN"), .init("PROJECT", truncation: .end), .init("STATUS"),
      .init("STEP", alignment: .trailing), .init("OPEN ALERTS"),
      .init("STARTED", alignment: .trailing), .init("NAME", truncation: .end),
    ])
    for run in runs {
      table.append([
        Table.Cell(run.runID, .emphasis), Table.Cell(run.project),
        Table.Cell(run.status.word, run.status.style),
        run.hasLastStep ? "\(run.lastStep)" : Table.Cell("none", .faint), run.openAlerts.cell,
        Table.Cell(run.createdAt.age, .faint), Table.Cell(run.name),
      ])
    }
    table.removeEmptyColumns()
    return table.rendered(on: terminal)
  }
}
