import ArgumentParser
import SwiftProtobuf
import TelemetryWire

/// `query timeline`.
struct TimelineCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "timeline",
    abstract: "Show one metric of tensors or layers over steps.",
    discussion: """
      JSON: {"series": [gradwatch.v1.GetLayerTimelineResponse, ...]}, a series an entry; jsonl: \
      the collector's messages as they arrive, of which a long series has several.
      """
  )

  @Argument(help: "The run's id.")
  var runID: String

  @Option(help: ArgumentHelp("What to show.", valueName: "metric"))
  var metric: MetricChoice = .norm

  @OptionGroup var selector: SelectorOptions
  @OptionGroup var series: SeriesOptions
  @OptionGroup var plot: PlotOptions
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func validate() throws { try plot.check(with: output) }

  func run() async throws {
    let output = Output(output)
    let isPlot = plot.isWanted(in: output)
    let selector = selector.message
    let request = Gradwatch_V1_GetLayerTimelineRequest.with {
      $0.runID = runID
      $0.producerID = series.producer
      if selector != .init() { $0.selector = selector }
      $0.metric = metric.metric
      if let steps = series.steps { $0.steps = steps.message }
      $0.maxPoints = series.maximumPoints(isPlot: isPlot, on: output)
    }
    let answer = SeriesAnswer<Gradwatch_V1_GetLayerTimelineResponse>(
      output: output,
      isPlot: isPlot,
      drawsAll: plot.plot == true,
      quantity: metric.words,
      isFullResolution: request.maxPoints == 0
    )
    let found = try await Connection.with(connection) { connection in
      try await answer.write { try await connection.timeline(request, $0) }
    }
    if !found {
      Diagnostics.write(
        "run \(runID): no \(metric.words) \(series.steps?.words ?? "in any step")"
      )
    }
  }
}
