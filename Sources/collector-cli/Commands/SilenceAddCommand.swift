import ArgumentParser
import Foundation
import SwiftProtobuf
import Telemetry
import TelemetryWire
import TerminalOutput

/// `silence add`.
struct SilenceAddCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add",
    abstract: "Silence the alerts that match all that is given; at least one matcher.",
    discussion: "JSON and jsonl: the gradwatch.v1.Silence."
  )

  @Option(
    name: .customLong("for"),
    help: ArgumentHelp("How long (2h, 30m, 1d).", valueName: "time"),
    transform: TimeSpan.parse
  )
  var duration: TimeSpan

  @Option(help: "Only alerts of this rule, such as loss_plateau.")
  var rule: String = ""

  @Option(help: "Only alerts of runs of this project.")
  var project: String = ""

  @Option(name: .customLong("run"), help: ArgumentHelp("Only alerts of this run.", valueName: "id"))
  var runID: String = ""

  @Option(
    help: ArgumentHelp(
      "Only alerts of which every layer matches (* any text, ? any character).",
      valueName: "glob"
    )
  )
  var layer: String = ""

  @Option(help: "Why, for other people.")
  var comment: String = ""

  @Option(help: "Who says so; the name of the user if left out.")
  var by: String?

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if [rule, project, runID, layer].allSatisfy(\.isEmpty) {
      throw ValidationError("expected --rule, --project, --run or --layer, found none")
    }
  }

  func run() async throws {
    let output = Output(output)
    let silence = try await Connection.with(connection) { connection in
      try await connection.checkRules(rule.isEmpty ? [] : [rule])
      // The collector's clock decides when it ends, so it is asked for it.
      let info = try await connection.query.getServerInfo(.init(), options: connection.unary)
      let request = Gradwatch_V1_SilenceAlertsRequest.with { request in
        request.silence = .with {
          ($0.rule, $0.project, $0.runID, $0.layer) = (rule, project, runID, layer)
          ($0.author, $0.comment) = (by ?? NSUserName(), comment)
          $0.endsAt = Google_Protobuf_Timestamp(
            WallTime(clamping: info.serverTime.seconds + duration.seconds)
          )
        }
      }
      return try await connection.alerts.silenceAlerts(request, options: connection.unary).silence
    }
    switch output.format {
    case .json: try output.write(document: try Output.json(silence))
    case .jsonl: try output.write(line: silence)
    case .table:
      try output.write(
        output.terminal.paint("silenced", .success)
          + output.terminal.paint(" until \(silence.endsAt.text) (\(silence.silenceID))") + "\n"
      )
    case .csv, .tsv: try SilencesTable.write([silence], to: output)
    }
  }
}
