import ArgumentParser
import GRPCCore
import SwiftProtobuf
import TelemetryWire
import TerminalOutput

/// `query heatmap`.
struct HeatmapCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "heatmap",
    abstract: "Show one metric of many tensors or layers over steps, as a picture.",
    discussion: """
      JSON: {"columns": gradwatch.v1.HeatmapColumns, "rows": [gradwatch.v1.HeatmapRow, ...]}; \
      jsonl: gradwatch.v1.GetHeatmapResponse messages as they come; csv and tsv: a line a cell that \
      has a measurement.
      """
  )

  @Argument(help: "The run's id.")
  var runID: String

  @Option(help: ArgumentHelp("What to show.", valueName: "metric"))
  var metric: MetricChoice = .norm

  @Option(help: "What a cell shows of its measurements.")
  var statistic: HeatmapStatisticChoice = .max

  @Option(help: "The most columns; 0: as many as the terminal has room for.")
  var columns: UInt32 = 0

  @Option(
    help: ArgumentHelp("Only these steps: A:B, A:, :B or N.", valueName: "range"),
    transform: StepRange.parse
  )
  var steps: StepRange?

  @Option(help: "The producer, if not the one with the lowest rank.")
  var producer: String = ""

  @OptionGroup var selector: SelectorOptions
  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let output = Output(output)
    let selector = selector.message
    let request = Gradwatch_V1_GetHeatmapRequest.with {
      $0.runID = runID
      $0.producerID = producer
      if selector != .init() { $0.selector = selector }
      $0.metric = metric.metric
      if let steps { $0.steps = steps.message }
      let room = Heatmap.cellColumns(labels: [], on: output.terminal)
      $0.maxColumns = columns > 0 ? columns : UInt32(room)
      $0.statistic = statistic.statistic
    }
    let parts = try await Connection.with(connection) { connection in
      try await connection.query.getHeatmap(request, options: connection.stream) { response in
        var parts: [Gradwatch_V1_GetHeatmapResponse] = []
        for try await part in response.messages { parts.append(part) }
        return parts
      }
    }
    let grid = parts.first?.columns ?? .init()
    let rows = parts.flatMap(\.rows)
    if rows.isEmpty {
      Diagnostics.write("run \(runID): no \(metric.words) \(steps?.words ?? "in any step")")
    }
    let table = HeatmapTable(columns: grid, rows: rows)
    switch output.format {
    case .table:
      guard !rows.isEmpty else { return }
      let quantity = "\(statistic.words) \(metric.words)"
      try output.write(table.picture(of: runID, quantity).rendered(on: output.terminal))
      try output.write(table.picture(of: runID, quantity).legend(on: output.terminal))
    case .json:
      try output.write(
        document: JSONText.object([
          "columns": try Output.json(grid),
          "rows": JSONText.array(try rows.map(Output.json)),
        ])
      )
    case .jsonl: for part in parts { try output.write(line: part) }
    case .csv: try output.write(table.lines(as: .comma))
    case .tsv: try output.write(table.lines(as: .tab))
    }
  }
}
