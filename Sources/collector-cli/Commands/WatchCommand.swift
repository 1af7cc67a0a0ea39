import ArgumentParser
import SwiftProtobuf
import TelemetryWire

/// `watch`.
struct WatchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch",
    abstract: "Follow alerts as they happen, of one run or of all, until interrupted.",
    discussion: """
      First the open alerts, then every change. A lost connection is taken up again where it \
      ended, so that no change is missed. On a terminal a change is a line for people; in a pipe, \
      and with -o json or jsonl, it is a gradwatch.v1.SubscribeAlertsResponse a line, whose \
      caughtUp says that what follows is live.
      """
  )

  @Argument(help: "The run's id; all runs if left out.")
  var runID: String?

  @OptionGroup var selection: AlertSelection

  @Flag(help: "Also alerts that do not fire yet.")
  var pending = false

  @Option(
    help: "Begin after this change, a cursor of an earlier watch, instead of with the open alerts."
  )
  var cursor: Int64?

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: DocumentOptions

  func validate() throws {
    if let cursor, cursor < 0 {
      throw ValidationError("--cursor: expected at least 0, found \(cursor)")
    }
  }

  func run() async throws {
    let output = Output(output)
    let request = Gradwatch_V1_SubscribeAlertsRequest.with {
      $0.runIds = runID.map { [$0] } ?? []
      $0.projects = selection.project.isEmpty ? [] : [selection.project]
      $0.rules = selection.rule
      $0.minimumSeverity = selection.severity?.severity ?? .unspecified
      $0.includePending = pending
      if let cursor { $0.cursor = cursor }
    }
    let watch = AlertWatch(options: connection, request: request, output: output)
    try await watch.run()
  }
}
