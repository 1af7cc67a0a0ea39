import ArgumentParser
import Foundation
import SwiftProtobuf
import TelemetryWire
import TerminalOutput

/// `ack`.
struct AcknowledgeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ack",
    abstract: "Say that you know of a firing alert.",
    discussion: "JSON and jsonl: the gradwatch.v1.Alert, acknowledged."
  )

  @Argument(help: "The alert's id.")
  var alertID: String

  @Option(help: "Who says so; the name of the user if left out.")
  var by: String?

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let output = Output(output)
    let request = Gradwatch_V1_AcknowledgeAlertRequest.with {
      ($0.alertID, $0.acknowledgedBy) = (alertID, by ?? NSUserName())
    }
    let alert = try await Connection.with(connection) { connection in
      try await connection.alerts.acknowledgeAlert(request, options: connection.unary).alert
    }
    switch output.format {
    case .json: try output.write(document: Output.json(alert))
    case .jsonl: try output.write(line: alert)
    case .table:
      try output.write(
        output.terminal.paint("acknowledged", .success) + " by "
          + output.terminal.paint("\(alert.acknowledgedBy): \(alert.summary)") + "\n"
      )
    case .csv, .tsv:
      try output.write(columns: AlertsTable.columns, rows: [AlertsTable.fields(of: alert)])
    }
  }
}
