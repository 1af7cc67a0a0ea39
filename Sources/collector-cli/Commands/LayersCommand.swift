import ArgumentParser
import SwiftProtobuf
import TelemetryWire
import TerminalOutput

/// `query layers`.
struct LayersCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "layers",
    abstract: "List a run's layers in forward order, each with the course of its gradient norm.",
    discussion: """
      A layer's norm is the L2 norm over its tensors' gradients. JSON: {"layers": \
      [gradwatch.v1.LayerEntry, ...], "norms": [gradwatch.v1.GetLayerTimelineResponse, ...]}; \
      jsonl: a LayerEntry a line.
      """
  )

  /// The orders of layers.
  enum Order: String, ExpressibleByArgument, CaseIterable {
    case forward, norm
  }

  @Argument(help: "The run's id.")
  var runID: String

  @Option(
    help: ArgumentHelp(
      "Only layers whose name matches (* any text, ? any character).",
      valueName: "glob"
    )
  )
  var match: String = ""

  @Option(
    help:
      "forward, or norm for the largest last gradient norm first; NaN and infinities before all."
  )
  var sort: Order = .forward

  @Option(help: "The producer, if not the one with the lowest rank.")
  var producer: String = ""

  @OptionGroup var connection: ConnectionOptions
  @OptionGroup var output: OutputOptions

  func run() async throws {
    let output = Output(output)
    let selector = Gradwatch_V1_Selector.with { $0.layer = match }
    let request = Gradwatch_V1_GetLayerTimelineRequest.with {
      $0.runID = runID
      $0.producerID = producer
      if !match.isEmpty { $0.selector = selector }
      $0.maxPoints = UInt32(LayersTable.courseColumns)
    }
    let (layers, norms) = try await Connection.with(connection) { connection in
      let layers = try await connection.layers(of: request.runID, matching: selector)
      let norms = Parts<Gradwatch_V1_GetLayerTimelineResponse>()
      if layers.contains(where: { !$0.tensors.isEmpty }) {
        try await connection.timeline(request) { norms.take($0) }
      }
      return (layers, norms.messages)
    }
    guard !layers.isEmpty else {
      throw CommandFailure(
        .notFound,
        match.isEmpty ? "run \(runID): no layers" : "run \(runID): no layer matches \(match)"
      )
    }
    let rows = sorted(LayerRow.rows(layers, norms: norms))
    switch output.format {
    case .json:
      try output.write(
        document: JSONText.object([
          "layers": JSONText.array(try rows.map { try Output.json($0.entry) }),
          "norms": JSONText.array(try norms.map(Output.json)),
        ])
      )
    case .jsonl: for row in rows { try output.write(line: row.entry) }
    case .table: try output.write(LayersTable.rendered(rows, on: output.terminal))
    case .csv, .tsv:
      try output.write(columns: LayersTable.columns, rows: rows.map(LayersTable.fields))
    }
  }

  private func sorted(_ rows: [LayerRow]) -> [LayerRow] {
    guard sort == .norm else { return rows }
    func rank(_ row: LayerRow) -> Double {
      row.lastNorm.map { $0.isFinite ? $0 : .infinity } ?? -1
    }
    return rows.sorted { rank($0) > rank($1) }
  }
}
