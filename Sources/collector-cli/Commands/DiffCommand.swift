import ArgumentParser
import Foundation
import GRPCCore
import SwiftProtobuf
import TelemetryWire
import TerminalOutput

/// `diff`.
struct DiffCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract:
      "Compare two runs: in which layer and at which step they part, and what else differs.",
    discussion: """
      Steps are aligned by number, tensors by name. Runs that begin alike part where one's value is \
      more than --factor times the other's; runs that differ from the first step on (another seed, \
      another initialization) where the ratio leaves its own usual band. The collector reads every \
      step of both.

      JSON: {"comparison": gradwatch.v1.RunComparison, "layers": [gradwatch.v1.LayerComparison, \
      ...]}; jsonl: gradwatch.v1.CompareRunsResponse messages as they come.
      """
  )

  @Argument(help: "The one run's id.")
  var runA: String

  @Argument(help: "The other run's id; the same one only with another producer.")
  var runB: String

  @Option(help: ArgumentHelp("What to compare.", valueName: "metric"))
  var metric: MetricChoice = .norm

  @Option(help: "How many times as large one value may be as the other.")
  var factor: Double = 2

  @Option(help: "How many common steps in a row it must be more.")
  var partingSteps: UInt32 = 3

  @Option(
    help: ArgumentHelp("Only these steps: A:B, A:, :B or N.", valueName: "range"),
    transform: StepRange.parse
  )
  var steps: StepRange?

  @Option(help: "The one run's producer, if not the one with the lowest rank.")
  var producerA: String = ""

  @Option(help: "The other run's producer, likewise.")
  var producerB: String = ""

  @OptionGroup var selector: SelectorOptions
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: DocumentOptions

  func validate() throws {
    guard factor > 1, factor.isFinite else {
      throw ValidationError("--factor: expected a number above 1, found \(factor)")
    }
  }

  func run() async throws {
    let output = Output(output)
    let selector = selector.message
    let request = Gradwatch_V1_CompareRunsRequest.with {
      ($0.runA, $0.runB) = (runA, runB)
      ($0.producerA, $0.producerB) = (producerA, producerB)
      $0.metric = metric.metric
      if selector != .init() { $0.selector = selector }
      if let steps { $0.steps = steps.message }
      $0.logRatioBound = log(factor)
      $0.partingSteps = partingSteps
      $0.maxPoints = UInt32(min(ComparisonPage.points(on: output.terminal), 1000))
    }
    let answer = try await Connection.with(connection) { connection in
      try await connection.query.compareRuns(request, options: connection.stream) { response in
        var parts: [Gradwatch_V1_CompareRunsResponse] = []
        for try await part in response.messages { parts.append(part) }
        return parts
      }
    }
    let layers = answer.compactMap { part in
      if case .layer(let layer)? = part.part { layer } else { nil }
    }
    let comparison = answer.first?.comparison ?? .init()
    switch output.format {
    case .table, .csv, .tsv:
      let page = ComparisonPage(comparison: comparison, layers: layers, quantity: metric.words)
      try output.write(page.rendered(on: output.terminal))
    case .json:
      try output.write(
        document: JSONText.object([
          "comparison": try Output.json(comparison),
          "layers": JSONText.array(try layers.map(Output.json)),
        ])
      )
    case .jsonl: for part in answer { try output.write(line: part) }
    }
  }
}
