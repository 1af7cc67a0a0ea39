import ArgumentParser
import SwiftProtobuf
import TelemetryWire

/// `rules list`.
struct RulesListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List all rules, and which of them are changed for a project or run.",
    discussion: "JSON: {\"rules\": [gradwatch.v1.Rule, ...]}; jsonl: a Rule a line."
  )

  @OptionGroup var target: RuleTargetOptions
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let output = Output(output)
    let request = Gradwatch_V1_ListRulesRequest.with { $0.target = target.listed }
    let rules = try await Connection.with(connection) { connection in
      try await connection.alerts.listRules(request, options: connection.unary).rules
    }
    try output.write(rules, member: "rules", columns: RulesTable.columns, row: RulesTable.fields) {
      RulesTable.rendered(rules, on: output.terminal)
    }
  }
}
