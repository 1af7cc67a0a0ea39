import ArgumentParser
import GRPCCore
import RuleFile
import SwiftProtobuf
import Telemetry
import TelemetryWire
import TerminalOutput

/// `rules test`.
struct RulesTestCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test",
    abstract: "Replay a recorded run against a rule file: which alerts would have fired.",
    discussion: """
      The file takes the place of the run's own set, above its project's; nothing is stored. In \
      front of an alert: + fires with this file only, - was recorded and does not fire any more, \
      ~ fires with another severity or at another step, nothing: as recorded. Alerts of \
      stalled_run, which come from the clock, and of rank_divergence, which come of all ranks \
      together, are left out.

      JSON: {"alerts": [gradwatch.v1.TestedAlert, ...], "run": gradwatch.v1.TestedRun, \
      "mismatches": [text, ...]}; jsonl: a gradwatch.v1.TestRulesResponse a line.

      Exit status: 1 if the file has problems, or if its 'expect' is not met.
      """
  )

  @Argument(help: "The file; - is standard input.")
  var file: String

  @Option(name: .customLong("run"), help: ArgumentHelp("The run.", valueName: "run-id"))
  var runID: String

  @Option(help: "The producer; every one if left out.")
  var producer: String = ""

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let output = Output(output)
    let file = try RuleFile.required(at: file)
    let request = Gradwatch_V1_TestRulesRequest.with {
      ($0.runID, $0.producerID) = (runID, producer)
      $0.rules = Gradwatch_V1_RuleSet(file.rules)
    }
    let events = try await Connection.with(connection) { connection in
      try await connection.alerts.testRules(request, options: connection.stream) { response in
        var events: [Gradwatch_V1_TestRulesResponse] = []
        for try await message in response.messages { events.append(message) }
        return events
      }
    }
    let result = RuleTestResult(events, expectations: file.expectations)
    try result.write(to: output)
    guard result.mismatches.isEmpty else {
      if output.format != .table { result.mismatches.forEach(Diagnostics.write) }
      throw CommandFailure(
        .faultFound,
        "run \(runID): expected as \(self.file) says, found \(result.mismatches.count) of "
          + "\(file.expectations.count) otherwise"
      )
    }
  }
}
