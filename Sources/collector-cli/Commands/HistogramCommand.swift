import ArgumentParser
import SwiftProtobuf
import TelemetryWire

/// `query histogram`.
struct HistogramCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "histogram",
    abstract: "Show gradient histograms.",
    discussion: """
      Histograms of a range of steps are merged: on a terminal into one, unless --resolution says \
      otherwise. In csv and tsv a row is a bucket with elements from "lower" up to "upper"; zeros \
      (and subnormals) have the bounds 0 and 0. JSON: {"histograms": \
      [gradwatch.v1.GetHistogramsResponse, ...]}, a tensor an entry; jsonl: the collector's \
      messages as they arrive.
      """
  )

  @Argument(help: "The run's id.")
  var runID: String

  @Option(help: "Only this step; the same as --steps N.", transform: UInt64.parse)
  var step: UInt64?

  @OptionGroup var selector: SelectorOptions
  @OptionGroup var series: SeriesOptions
  @OptionGroup var plot: PlotOptions
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    try plot.check(with: output)
    if step != nil, series.steps != nil {
      throw ValidationError("--step: expected no --steps beside it")
    }
  }

  func run() async throws {
    let output = Output(output)
    let isPlot = plot.isWanted(in: output)
    let selector = selector.message
    let steps = step.map { StepRange(first: $0, last: $0) } ?? series.steps
    let request = Gradwatch_V1_GetHistogramsRequest.with {
      $0.runID = runID
      $0.producerID = series.producer
      if selector != .init() { $0.selector = selector }
      if let steps { $0.steps = steps.message }
      $0.maxPoints = series.resolution ?? (isPlot ? 1 : 0)
    }
    let drawsAll = plot.plot == true
    let found = try await Connection.with(connection) { connection in
      // The elements that a histogram lacks are NaN or infinite.
      let tensors = try await connection.layers(of: request.runID, matching: selector)
        .flatMap(\.tensors)
      let answer = HistogramAnswer(
        output: output,
        isPlot: isPlot,
        drawsAll: drawsAll,
        elementCounts: .init(
          tensors.map { ($0.tensorID, $0.tensor.elementCount) },
          uniquingKeysWith: { first, _ in first }
        )
      )
      return try await answer.write { try await connection.histograms(request, $0) }
    }
    if !found {
      Diagnostics.write(
        "run \(runID): no histogram \(steps?.words ?? "in any step"); they may be taken every few "
          + "steps only: try a range with --steps A:B"
      )
    }
  }
}
