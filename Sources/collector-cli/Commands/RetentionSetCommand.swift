import ArgumentParser
import SwiftProtobuf
import TelemetryWire

/// `retention set`.
struct RetentionSetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "set",
    abstract: "Set limits in place of those before, and delete what is beyond them at once.",
    discussion: """
      'run prune --dry-run' with the same limits says before what would go. JSON: {"pruned": \
      [gradwatch.v1.PrunedRun, ...]}, what was deleted; jsonl: a PrunedRun a line.
      """
  )

  @Option(help: "The project; left out: all that have nothing of their own.")
  var project: String = ""

  @OptionGroup var limits: RetentionOptions

  @Flag(help: "Keep everything, also if something is set for all.")
  var keepAll = false

  @Flag(help: "Take back what was set.")
  var unset = false

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    let given = [limits.retention != nil, keepAll, unset].count(where: \.self)
    guard given == 1 else {
      throw ValidationError(
        "expected limits (--older-than, --keep, --max-bytes), --keep-all or --unset, found "
          + (given == 0 ? "none" : "several")
      )
    }
  }

  func run() async throws {
    let output = Output(output)
    let request = Gradwatch_V1_SetRetentionRequest.with { request in
      request.project = project
      if !unset { request.retention = limits.retention ?? .init() }
    }
    let pruned = try await Connection.with(connection) { connection in
      try await connection.admin.setRetention(request, options: connection.stream).pruned
    }
    try PrunedRunsTable.write(pruned, isDryRun: false, to: output)
  }
}
