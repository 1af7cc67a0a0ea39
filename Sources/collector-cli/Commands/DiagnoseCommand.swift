import ArgumentParser
import SwiftProtobuf
import TelemetryWire
import TerminalOutput

/// `diagnose`.
struct DiagnoseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diagnose",
    abstract:
      "Tell the story of a run: the root cause first, what follows from it, and what to try.",
    discussion: """
      Try the remedies one at a time, in their order, and look again after each. What could not be \
      seen, because a column was never sent, is listed at the end.

      JSON: a gradwatch.v1.Diagnosis; jsonl: the same on one line.

      Exit status: 0 whatever is found, unless --fail-on is given: then 1 if an alert of that \
      severity or a higher one is open. What was resolved does not count.
      """
  )

  @Argument(help: "The run's id; the newest run of --project if left out.")
  var runID: String?

  @Option(help: "The run's project.")
  var project: String = ""

  @Option(
    help: ArgumentHelp(
      "End with status 1 if a fault of this severity or a higher one is open.",
      valueName: "severity"
    )
  )
  var failOn: SeverityChoice?

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: DocumentOptions

  func validate() throws {
    if runID == nil, project.isEmpty {
      throw ValidationError(
        "run-id: expected a run, or --project for its newest one, found neither"
      )
    }
  }

  func run() async throws {
    let output = Output(output)
    let diagnosis = try await Connection.with(connection) { connection in
      let run = try await chosenRun(connection)
      // The losses of all steps are read, which may take as long as a stream of them.
      return try await connection.query.diagnoseRun(
        .with { $0.runID = run },
        options: connection.stream
      ).diagnosis
    }
    switch output.format {
    case .table, .csv, .tsv:
      try output.write(DiagnosisPage(diagnosis).rendered(on: output.terminal))
    case .json: try output.write(document: try Output.json(diagnosis))
    case .jsonl: try output.write(line: diagnosis)
    }
    if let failOn, diagnosis.openSeverity.rawValue >= failOn.severity.rawValue {
      throw CommandFailure(
        .faultFound,
        "run \(diagnosis.runID): expected nothing open of severity \(failOn.rawValue) or higher, "
          + "found \(diagnosis.openSeverity.word)"
      )
    }
  }

  /// The run that is named, if it is of the project; else the newest of the project.
  private func chosenRun(_ connection: Connection) async throws -> String {
    guard let runID else {
      let runs = try await connection.runs(.with { $0.project = project }, limit: 1).runs
      guard let newest = runs.first else {
        throw CommandFailure(.notFound, "project \(project): has no run")
      }
      return newest.runID
    }
    guard !project.isEmpty else { return runID }
    let run = try await connection.query.getRun(
      .with { $0.runID = runID },
      options: connection.unary
    ).run
    guard run.project == project else {
      throw CommandFailure(
        .notFound,
        "run \(runID): expected to be of project \(project), found \(run.project)"
      )
    }
    return runID
  }
}
