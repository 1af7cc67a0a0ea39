import ArgumentParser
import SwiftProtobuf
import TelemetryWire

/// `retention set`.
struct RetentionSetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "set",
    abstract: "Set limits in place of those before, and delete what is beyond them at once.",
    discussion: """
      JSON: {"pruned": [gradwatch.v1.PrunedRun, ...]}, what was deleted, or would be; jsonl: a PrunedRun a \
      line.
      """
  )

  @Option(help: "The project; left out: all that have nothing of their own.")
  var project: String = ""

  @OptionGroup var limits: RetentionOptions

  @Flag(help: "Keep everything, also if something is set for all.")
  var keepAll = false

  @Flag(help: "Take back what was set.")
  var unset = false

  @Flag(help: "Set nothing, and only say what would go.")
  var dryRun = false

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
      if dryRun { return try await wouldPrune(request, connection) }
      return try await connection.admin.setRetention(request, options: connection.stream).pruned
    }
    try PrunedRunsTable.write(pruned, isDryRun: dryRun, to: output)
  }

  private func wouldPrune(
    _ request: Gradwatch_V1_SetRetentionRequest,
    _ connection: Connection
  ) async throws -> [Gradwatch_V1_PrunedRun] {
    let before = try await connection.admin.listRetention(.init(), options: connection.unary)
    let standard = project.isEmpty ? .init() : before.standard
    let prune = Gradwatch_V1_PruneRunsRequest.with {
      $0.project = project
      $0.dryRun = true
      $0.retention = unset ? standard : request.retention
    }
    let pruned = try await connection.admin.pruneRuns(prune, options: connection.stream).pruned
    let own = Set(before.projects.map(\.project))
    // What is set for all does not count for them.
    return project.isEmpty ? pruned.filter { !own.contains($0.run.project) } : pruned
  }
}
