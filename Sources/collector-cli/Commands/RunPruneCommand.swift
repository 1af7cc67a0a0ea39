import ArgumentParser
import SwiftProtobuf
import TelemetryWire

/// `run prune`.
struct RunPruneCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prune",
    abstract: "Delete the runs that are beyond limits: these, or those of 'retention set'.",
    discussion: """
      Limits count for each project by itself. Only runs that ended go, the one that ended first before the \
      others. JSON: {"pruned": [gradwatch.v1.PrunedRun, ...]}; jsonl: a PrunedRun a line.
      """
  )

  @Option(help: "Only runs of this project.")
  var project: String = ""

  @OptionGroup var limits: RetentionOptions

  @Flag(help: "Only say what would go.")
  var dryRun = false

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let output = Output(output)
    let request = Gradwatch_V1_PruneRunsRequest.with { request in
      request.project = project
      request.dryRun = dryRun
      if let retention = limits.retention { request.retention = retention }
    }
    let pruned = try await Connection.with(connection) { connection in
      try await connection.admin.pruneRuns(request, options: connection.stream).pruned
    }
    try PrunedRunsTable.write(pruned, isDryRun: dryRun, to: output)
  }
}
