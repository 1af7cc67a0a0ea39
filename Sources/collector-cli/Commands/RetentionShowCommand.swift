import ArgumentParser
import SwiftProtobuf
import TelemetryWire
import TerminalOutput

/// `retention show`.
struct RetentionShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Show what was set.",
    discussion: """
      JSON: {"retention": [gradwatch.v1.ProjectRetention, ...]}, the one for all projects that have nothing \
      of their own first and without a project; jsonl: a ProjectRetention a line.
      """
  )

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  private static let columns = ["project", "maximum_age_seconds", "maximum_runs", "maximum_bytes"]

  func run() async throws {
    let output = Output(output)
    let answer = try await Connection.with(connection) { connection in
      try await connection.admin.listRetention(.init(), options: connection.unary)
    }
    var entries = answer.projects
    if answer.hasStandard {
      entries.insert(.with { $0.retention = answer.standard }, at: 0)
    }
    try output.write(entries, member: "retention", columns: Self.columns, row: Self.fields) {
      guard !entries.isEmpty else { return "nothing is set: everything is kept\n" }
      var table = Table(columns: [
        .init("PROJECT", truncation: .end), .init("OLDEST", alignment: .trailing),
        .init("RUNS", alignment: .trailing), .init("SIZE", alignment: .trailing),
      ])
      for entry in entries {
        let limits = entry.retention
        table.append([
          entry.project.isEmpty
            ? Table.Cell("(others)", .faint) : Table.Cell(entry.project, .emphasis),
          Table.Cell(
            limits.hasMaximumAgeSeconds ? TimeText.span(limits.maximumAgeSeconds) : "any"
          ),
          Table.Cell(limits.hasMaximumRuns ? NumberText.grouped(limits.maximumRuns) : "any"),
          Table.Cell(limits.hasMaximumBytes ? NumberText.bytes(limits.maximumBytes) : "any"),
        ])
      }
      return table.rendered(on: output.terminal)
    }
  }

  private static func fields(of entry: Gradwatch_V1_ProjectRetention) -> [DelimitedText.Field] {
    let limits = entry.retention
    return [
      .text(entry.project),
      limits.hasMaximumAgeSeconds ? .real(limits.maximumAgeSeconds) : .missing,
      limits.hasMaximumRuns ? .integer(limits.maximumRuns) : .missing,
      limits.hasMaximumBytes ? .integer(limits.maximumBytes) : .missing,
    ]
  }
}
