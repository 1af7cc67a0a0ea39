import ArgumentParser
import SwiftProtobuf
import TelemetryWire
import TerminalOutput

/// `silence remove`.
struct SilenceRemoveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove",
    abstract: "End a silence before its time.",
    discussion: "JSON and jsonl: {\"silence_id\": …}."
  )

  @Argument(help: "The silence's id, as 'silence list' shows it.")
  var silenceID: String

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let output = Output(output)
    let request = Gradwatch_V1_RemoveSilenceRequest.with { $0.silenceID = silenceID }
    _ = try await Connection.with(connection) { connection in
      try await connection.alerts.removeSilence(request, options: connection.unary)
    }
    let object = JSONText.object(["silence_id": JSONText.string(silenceID)])
    switch output.format {
    case .json: try output.write(document: object)
    case .jsonl: try output.write(object + "\n")
    case .table:
      try output.write(
        output.terminal.paint("removed", .success) + output.terminal.paint(" \(silenceID)") + "\n"
      )
    case .csv, .tsv:
      try output.write(columns: ["silence_id"], rows: [[.text(silenceID)]])
    }
  }
}
