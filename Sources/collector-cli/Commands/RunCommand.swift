import ArgumentParser
import Foundation
import SwiftProtobuf
import TelemetryWire
import TerminalOutput

/// `query run`.
struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract:
      "Show one run: how it is, what is wrong where since when and why, and what to try first.",
    discussion: """
      JSON: {"run": gradwatch.v1.Run, "alerts": [gradwatch.v1.Alert, ...], "losses": \
      [gradwatch.v1.GetLossTimelineResponse, ...], "annotations": [gradwatch.v1.AnnotationEntry, \
      ...]}; jsonl: the same on one line.
      """
  )

  @Argument(help: "The run's id.")
  var runID: String

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: DocumentOptions

  /// Alerts beyond these are for `query alerts`.
  private static let mostAlerts = 200
  /// Annotations beyond these are for `query annotations`.
  private static let mostAnnotations = 20
  /// Points of a loss for its sparkline.
  private static let lossPoints: UInt32 = 40

  func run() async throws {
    let output = Output(output)
    let runID = runID
    let suffix = connection.server.map { " --server \($0)" } ?? ""
    let page = try await Connection.with(connection) { connection in
      let run = try await connection.query.getRun(
        .with { $0.runID = runID },
        options: connection.unary
      ).run
      let alerts = try await connection.alerts(
        .with { $0.runID = runID },
        limit: Self.mostAlerts
      )
      let annotations = try await connection.annotations(
        .with { $0.runID = runID },
        limit: Self.mostAnnotations
      )
      let losses = Parts<Gradwatch_V1_GetLossTimelineResponse>()
      if run.hasLastStep {
        let request = Gradwatch_V1_GetLossTimelineRequest.with {
          ($0.runID, $0.maxPoints) = (runID, Self.lossPoints)
        }
        try await connection.losses(request) { losses.take($0) }
      }
      return RunPage(
        run: run,
        layers: try await connection.layers(of: runID),
        losses: losses.messages,
        alerts: alerts.alerts,
        hasMoreAlerts: alerts.hasMore,
        annotations: annotations.annotations,
        hasMoreAnnotations: annotations.hasMore,
        commandSuffix: suffix
      )
    }
    switch output.format {
    case .table, .csv, .tsv: try output.write(page.rendered(on: output.terminal))
    case .json: try output.write(document: try document(page))
    case .jsonl: try output.write(try document(page) + "\n")
    }
  }

  private func document(_ page: RunPage) throws -> String {
    JSONText.object([
      "run": try Output.json(page.run),
      "alerts": JSONText.array(try page.alerts.map(Output.json)),
      "losses": JSONText.array(try page.losses.map(Output.json)),
      "annotations": JSONText.array(try page.annotations.map(Output.json)),
    ])
  }
}
