import SwiftProtobuf
import TelemetryWire
import TerminalOutput

/// Runs beyond a limit, as a table and as records.
enum PrunedRunsTable {
  private static let columns = ["run_id", "project", "ended_at", "reports", "bytes", "limit"]

  private static func fields(of pruned: Gradwatch_V1_PrunedRun) -> [DelimitedText.Field] {
    let run = pruned.run
    return [
      .text(run.runID), .text(run.project), run.hasEndedAt ? .text(run.endedAt.text) : .missing,
      .integer(run.reports), .integer(run.bytes), .text(pruned.limit.word),
    ]
  }

  /// Writes them in the form asked for.
  static func write(
    _ pruned: [Gradwatch_V1_PrunedRun],
    isDryRun: Bool,
    to output: Output
  ) throws {
    try output.write(pruned, member: "pruned", columns: columns, row: fields) {
      guard !pruned.isEmpty else { return "no run is beyond a limit\n" }
      var table = Table(columns: [
        .init("RUN", truncation: .middle), .init("PROJECT", truncation: .end),
        .init("ENDED", alignment: .trailing), .init("REPORTS", alignment: .trailing),
        .init("SIZE", alignment: .trailing), .init("BEYOND"),
      ])
      for entry in pruned {
        let run = entry.run
        table.append([
          Table.Cell(run.runID, .emphasis), Table.Cell(run.project),
          Table.Cell(run.hasEndedAt ? run.endedAt.age : "", .faint),
          Table.Cell(NumberText.grouped(run.reports)), Table.Cell(NumberText.bytes(run.bytes)),
          Table.Cell(entry.limit.word),
        ])
      }
      let bytes = NumberText.bytes(pruned.reduce(0) { $0 + $1.run.bytes })
      let total = "\(pruned.count) \(pruned.count == 1 ? "run" : "runs"), about \(bytes)"
      return table.rendered(on: output.terminal)
        + (isDryRun ? "would delete \(total)\n" : "deleted \(total)\n")
    }
  }
}

extension Gradwatch_V1_RetentionLimit {
  /// The limit's name.
  fileprivate var word: String {
    switch self {
    case .age: "age"
    case .runs: "runs"
    case .bytes: "bytes"
    case .unspecified, .UNRECOGNIZED: "limit \(rawValue)"
    }
  }
}
