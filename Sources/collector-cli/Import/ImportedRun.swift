import GradwatchClient
import Telemetry
import TerminalOutput

/// What came of one file.
struct ImportedRun: Sendable {
  /// The run.
  let run: RunID
  /// The file's path.
  let file: String
  /// Steps in the file.
  var steps: UInt64 = 0
  /// Steps that were sent and are durable.
  var sent: UInt64 = 0
  /// Steps that the collector did not accept.
  var refused: UInt64 = 0
  /// What was wrong with the first of them; `nil` if there is none.
  var firstRefusal: Refusal?
  /// The last step; `nil` if there is none.
  var lastStep: UInt64?

  init(run: RunID, file: String) {
    self.run = run
    self.file = file
  }

  /// Steps that the collector had before: the first of the file.
  var known: UInt64 { steps - sent - refused }

  /// For people who wait.
  var sentence: String {
    "\(sent) steps" + (known > 0 ? ", \(known) known before" : "")
      + (refused > 0 ? ", \(refused) refused" : "")
  }

  /// One JSON object.
  var json: String {
    JSONText.object([
      "run_id": JSONText.string(run.rawValue), "file": JSONText.string(file), "steps": "\(steps)",
      "sent": "\(sent)", "refused": "\(refused)",
      "last_step": lastStep.map { "\($0)" } ?? "null",
    ])
  }

  private static let columns = ["run_id", "steps", "sent", "refused", "last_step", "file"]

  private var fields: [DelimitedText.Field] {
    [
      .text(run.rawValue), .integer(steps), .integer(sent), .integer(refused),
      lastStep.map { .integer($0) } ?? .missing, .text(file),
    ]
  }

  /// Writes all; those of `jsonl` were written as they came.
  static func write(_ runs: [ImportedRun], to output: Output) throws {
    switch output.format {
    case .json:
      try output.write(document: JSONText.object(["runs": JSONText.array(runs.map(\.json))]))
    case .jsonl: break
    case .csv, .tsv:
      try output.write(columns: columns, rows: runs.map(\.fields))
    case .table:
      var table = Table(columns: [
        .init("RUN", truncation: .middle), .init("STEPS", alignment: .trailing),
        .init("SENT", alignment: .trailing), .init("REFUSED", alignment: .trailing),
        .init("LAST STEP", alignment: .trailing), .init("FILE", truncation: .middle),
      ])
      for run in runs { table.append(run.fields.map(Table.Cell.init)) }
      try output.write(table.rendered(on: output.terminal))
    }
  }

  /// Throws ``CommandFailure`` if steps of any were refused.
  static func checkNoneRefused(_ runs: [ImportedRun]) throws(CommandFailure) {
    guard let worst = runs.first(where: { $0.refused > 0 }), let first = worst.firstRefusal
    else { return }
    let count = runs.reduce(0) { $0 + $1.refused }
    throw CommandFailure(
      .usage,
      "steps refused: \(count); the first in \(worst.file): step \(first.step): \(first.reason)"
    )
  }
}
