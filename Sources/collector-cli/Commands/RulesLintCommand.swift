import ArgumentParser
import RuleFile
import Telemetry
import TerminalOutput

/// `rules lint`.
struct RulesLintCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lint",
    abstract: "Check a rule file, without a collector.",
    discussion: """
      A line a problem: FILE:LINE:COLUMN: place: expected …, found …. JSON: {"file": …, \
      "problems": [{"line", "column", "place", "expected", "found"}, ...]}; jsonl: a problem a line.

      Exit status: 0 without problems, 1 with.
      """
  )

  @Argument(help: "The file; - is standard input.")
  var file: String

  @OptionGroup var output: OutputOptions

  func run() throws {
    let output = Output(output)
    do {
      let read = try RuleFile(path: file)
      try write([], to: output)
      if output.format == .table || output.chosenFormat == nil {
        let count = read.rules.rules.count
        Diagnostics.write("\(file): \(count) \(count == 1 ? "rule" : "rules"), no problem")
      }
    } catch let error as RuleFileError {
      try write(error.problems, to: output)
      throw CommandFailure(.faultFound, error.summary)
    }
  }

  private func write(_ problems: [RuleFileProblem], to output: Output) throws {
    switch output.chosenFormat ?? .table {
    case .table: try output.write(problems.map { "\(file):\($0)".escapingControls + "\n" }.joined())
    case .json:
      try output.write(
        document: JSONText.object([
          "file": JSONText.string(file), "problems": JSONText.array(problems.map(\.json)),
        ])
      )
    case .jsonl: try output.write(problems.map { $0.json + "\n" }.joined())
    case .csv, .tsv:
      try output.write(
        columns: ["file", "line", "column", "place", "expected", "found"],
        rows: problems.map { problem in
          [
            .text(file), .integer(UInt64(problem.line)), .integer(UInt64(problem.column)),
            .text(problem.place), .text(problem.expected), .text(problem.found),
          ]
        }
      )
    }
  }
}

extension RuleFileProblem {
  fileprivate var json: String {
    JSONText.object([
      "line": "\(line)", "column": "\(column)", "place": JSONText.string(place),
      "expected": JSONText.string(expected), "found": JSONText.string(found),
    ])
  }
}
