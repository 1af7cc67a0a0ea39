import ArgumentParser
import SwiftProtobuf
import TelemetryWire
import TerminalOutput

/// `run delete`.
struct RunDeleteCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete",
    abstract: "Delete a run with all that belongs to it, for good.",
    discussion: """
      Nobody sees the run any more when this returns; its space comes back in the background. JSON: {"runs": \
      [gradwatch.v1.Run]}, the run as it was; jsonl: the Run.
      """
  )

  @Argument(help: "The run's id.")
  var runID: String

  @Flag(help: "Delete it even while it is running and streams are open for it; they end.")
  var force = false

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let output = Output(output)
    let request = Gradwatch_V1_DeleteRunRequest.with { ($0.runID, $0.force) = (runID, force) }
    let run = try await Connection.with(connection) { connection in
      try await connection.admin.deleteRun(request, options: connection.unary).run
    }
    try output.write([run], member: "runs", columns: RunsTable.columns, row: RunsTable.fields) {
      let steps = run.hasLastStep ? "its last step was \(run.lastStep)" : "it had no report"
      return output.terminal.paint("deleted", .success)
        + output.terminal.paint(" \(run.runID) of project \(run.project); \(steps)") + "\n"
    }
  }
}
