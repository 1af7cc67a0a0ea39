import ArgumentParser
import SwiftProtobuf
import TelemetryWire

/// `silence list`.
struct SilenceListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the silences that have not ended, the one that ends first before the others.",
    discussion: "JSON: {\"silences\": [gradwatch.v1.Silence, ...]}; jsonl: a Silence a line."
  )

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let silences = try await Connection.with(connection) { connection in
      try await connection.alerts.listSilences(.init(), options: connection.unary).silences
    }
    try SilencesTable.write(silences, to: Output(output))
  }
}
