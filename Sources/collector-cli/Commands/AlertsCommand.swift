import ArgumentParser
import SwiftProtobuf
import TelemetryWire

/// Which alerts are meant; what is set must all match.
struct AlertSelection: ParsableArguments {
  @Option(help: "Only alerts of this severity or a higher one.")
  var severity: SeverityChoice?

  @Option(help: "Only alerts of this rule, such as exploding_gradient; may be repeated.")
  var rule: [String] = []

  @Option(help: "Only alerts of runs of this project.")
  var project: String = ""
}

/// `query alerts`.
struct AlertsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "alerts",
    abstract: "List alerts, the newest first, of one run or of all.",
    discussion: """
      SINCE is the first step at which the condition was seen, SURE how sure the rule is; 'query \
      run' tells why and what to try. JSON: {"alerts": [gradwatch.v1.Alert, ...]}; jsonl: an Alert \
      a line.
      """
  )

  @Argument(help: "The run's id; all runs if left out.")
  var runID: String?

  @OptionGroup var selection: AlertSelection

  @Option(
    help: "Only alerts in this state; may be repeated."
  )
  var state: [StateChoice] = []

  @Flag(help: "Only open alerts: firing or acknowledged.")
  var open = false

  @Option(help: "At most so many; 0: all.")
  var limit: UInt32 = 100

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if open, !state.isEmpty { throw ValidationError("--open: expected no --state beside it") }
  }

  func run() async throws {
    let output = Output(output)
    let request = Gradwatch_V1_ListAlertsRequest.with {
      $0.runID = runID ?? ""
      $0.project = selection.project
      $0.rules = selection.rule
      $0.minimumSeverity = selection.severity?.severity ?? .unspecified
      $0.states = open ? [.firing, .acknowledged] : state.map(\.state)
    }
    let limit = Limit(limit)
    let (alerts, hasMore) = try await Connection.with(connection) { connection in
      try await connection.checkRules(request.rules)
      return try await connection.alerts(request, limit: limit.count)
    }
    try output.write(
      alerts,
      member: "alerts",
      columns: AlertsTable.columns,
      row: AlertsTable.fields
    ) {
      AlertsTable.rendered(alerts, showsRun: runID == nil, on: output.terminal)
    }
    limit.note(hasMore: hasMore, of: "alerts")
  }
}
