import ArgumentParser
import Foundation
import SwiftProtobuf
import Telemetry
import TelemetryWire

/// `query runs`.
struct RunsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "runs",
    abstract: "List runs, the newest first.",
    discussion: """
      JSON: {"runs": [gradwatch.v1.Run, ...]}; jsonl: a Run a line.
      """
  )

  @Option(help: "Only runs of this project.")
  var project: String = ""

  @Option(help: "Only runs in this status.")
  var status: StatusChoice?

  @Option(
    help: ArgumentHelp(
      "Only runs registered within this span, such as 24h or 7d.",
      valueName: "span"
    ),
    transform: TimeSpan.parse
  )
  var since: TimeSpan?

  @Option(help: "At most so many; 0: all.")
  var limit: UInt32 = 100

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let output = Output(output)
    var request = Gradwatch_V1_ListRunsRequest()
    request.project = project
    request.status = status?.status ?? .unspecified
    if let since {
      request.createdSince = Google_Protobuf_Timestamp(
        WallTime(clamping: Date().timeIntervalSince1970 - since.seconds)
      )
    }
    let limit = Limit(limit)
    let (runs, hasMore) = try await Connection.with(connection) { [request] connection in
      try await connection.runs(request, limit: limit.count)
    }
    try output.write(runs, member: "runs", columns: RunsTable.columns, row: RunsTable.fields) {
      RunsTable.rendered(runs, on: output.terminal)
    }
    limit.note(hasMore: hasMore, of: "runs")
  }
}

/// The value of `--limit`.
struct Limit: Sendable {
  /// How many entries are wanted.
  let count: Int

  init(_ option: UInt32) { count = option == 0 ? .max : Int(option) }

  /// Says on standard error that there is more than was written.
  func note(hasMore: Bool, of what: String) {
    guard hasMore else { return }
    Diagnostics.write("the newest \(count) \(what); there are more: raise --limit, 0 for all")
  }
}
