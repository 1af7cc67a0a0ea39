import ArgumentParser
import SwiftProtobuf
import TelemetryWire

/// `query loss`.
struct LossCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "loss",
    abstract: "Show losses, or another value of the step as a whole, over steps.",
    discussion: """
      JSON: {"series": [gradwatch.v1.GetLossTimelineResponse, ...]}, a series an entry; jsonl: the \
      collector's messages as they arrive, of which a long series has several.
      """
  )

  @Argument(help: "The run's id.")
  var runID: String

  @Option(help: "What to show.")
  var metric: StepMetricChoice = .loss

  @Option(help: ArgumentHelp("Only losses whose name matches.", valueName: "glob"))
  var name: String = ""

  @OptionGroup var series: SeriesOptions
  @OptionGroup var plot: PlotOptions
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func validate() throws { try plot.check(with: output) }

  func run() async throws {
    let output = Output(output)
    let isPlot = plot.isWanted(in: output)
    let request = Gradwatch_V1_GetLossTimelineRequest.with {
      $0.runID = runID
      $0.producerID = series.producer
      $0.metric = metric.metric
      $0.name = name
      if let steps = series.steps { $0.steps = steps.message }
      $0.maxPoints = series.maximumPoints(isPlot: isPlot, on: output)
    }
    let answer = SeriesAnswer<Gradwatch_V1_GetLossTimelineResponse>(
      output: output,
      isPlot: isPlot,
      drawsAll: plot.plot == true,
      quantity: "",
      isFullResolution: request.maxPoints == 0
    )
    let found = try await Connection.with(connection) { connection in
      try await answer.write { try await connection.losses(request, $0) }
    }
    guard !found else { return }
    let place = series.steps?.words ?? "in any step"
    guard name.isEmpty else {
      throw CommandFailure(.notFound, "run \(runID): no loss matches \(name) \(place)")
    }
    Diagnostics.write("run \(runID): no \(metric.words) \(place)")
  }
}
