import ArgumentParser
import RuleFile
import SwiftProtobuf
import TelemetryWire
import TerminalOutput

/// `rules set`.
struct RulesSetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "set",
    abstract: "Set the rules of a project or run, in place of what was set before.",
    discussion: """
      Runs in progress take them at once. A file with 'rules: {}' takes back what was set. JSON: a \
      gradwatch.v1.SetRulesResponse: what is in force now.

      Exit status: 1 if the file has problems.
      """
  )

  @Argument(help: "The file; - is standard input.")
  var file: String

  @OptionGroup var target: RuleTargetOptions
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if target.listed == nil {
      throw ValidationError("--project, --run: expected one of the two, found neither")
    }
  }

  func run() async throws {
    let output = Output(output)
    let rules = Gradwatch_V1_RuleSet(try RuleFile.required(at: file).rules)
    let request = Gradwatch_V1_SetRulesRequest.with {
      $0.target = target.runID.map { .runID($0) } ?? target.project.map { .project($0) }
      $0.rules = rules
    }
    let answer = try await Connection.with(connection) { connection in
      try await connection.alerts.setRules(request, options: connection.unary)
    }
    switch output.format {
    case .json: try output.write(document: try Output.json(answer))
    case .jsonl: try output.write(line: answer)
    case .table:
      try output.write(
        output.terminal.paint("set", .success)
          + output.terminal.paint(
            " \(rules.rules.count) \(rules.rules.count == 1 ? "rule" : "rules") of "
              + "\(target.words) (revision \(answer.revision))"
          ) + "\n"
      )
    case .csv, .tsv:
      try output.write(
        columns: ["revision", "rules"],
        rows: [
          [.integer(UInt64(clamping: answer.revision)), .integer(UInt64(rules.rules.count))]
        ]
      )
    }
  }
}
