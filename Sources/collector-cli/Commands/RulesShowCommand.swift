import ArgumentParser
import RuleFile
import SwiftProtobuf
import Telemetry
import TelemetryWire
import TerminalOutput

/// `rules show`.
struct RulesShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Tell a rule's thresholds and what is changed; without a rule, print a rule file.",
    discussion: """
      Without a rule: the file that was set for --project or --run, ready to be edited and set \
      again. JSON: a gradwatch.v1.Rule, or without a rule a gradwatch.v1.RuleSet.
      """
  )

  @Argument(help: "The rule, such as dead_relu.")
  var rule: String?

  @OptionGroup var target: RuleTargetOptions
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if rule == nil, target.listed == nil {
      throw ValidationError("rule: expected a rule, or --project or --run, found none")
    }
  }

  func run() async throws {
    let output = Output(output)
    let request = Gradwatch_V1_ListRulesRequest.with { $0.target = target.listed }
    let answer = try await Connection.with(connection) { connection in
      try await connection.alerts.listRules(request, options: connection.unary)
    }
    guard let name = rule else { return try write(answer.set, to: output) }
    let rule = try Connection.rule(name, among: answer.rules)
    switch output.format {
    case .json: try output.write(document: try Output.json(rule))
    case .jsonl: try output.write(line: rule)
    case .table: try output.write(try RulesTable.page(rule, on: output.terminal))
    case .csv, .tsv:
      try output.write(
        columns: ["name", "effective", "standard", "minimum", "maximum", "meaning"],
        rows: rule.thresholds.map { threshold in
          [
            .text(threshold.name), .real(threshold.effective), .real(threshold.standard),
            .real(threshold.minimum), .real(threshold.maximum), .text(threshold.meaning),
          ]
        }
      )
    }
  }

  private func write(_ set: Gradwatch_V1_RuleSet, to output: Output) throws {
    switch output.format {
    case .json: try output.write(document: try Output.json(set))
    case .jsonl: try output.write(line: set)
    case .table, .csv, .tsv: try output.write(RuleFile(rules: try RuleSet(wire: set)).text)
    }
  }
}
