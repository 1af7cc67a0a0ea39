import GRPCCore
import Query
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryWire

/// The answer to GetHeatmap: the columns, then some rows at a time.
struct HeatmapAnswer {
  /// The most columns of an answer.
  static let maximumColumns: UInt32 = 4096
  private static let defaultColumns = 100
  /// Rows that are read, and sent, at once; of 4,096 columns they take 2 MB.
  private static let rowsPerMessage = 128

  private let collector: Collector
  private let request: SeriesRequest
  private let selector: TensorSelector
  private let metric: Metric
  private let statistic: HeatmapGrid.Statistic

  init(
    collector: Collector,
    request: Gradwatch_V1_GetHeatmapRequest
  ) throws(TelemetryError) {
    guard request.maxColumns <= Self.maximumColumns else {
      throw .outOfRange(
        field: "max_columns",
        expected: "at most \(Self.maximumColumns)",
        found: "\(request.maxColumns)"
      )
    }
    self.collector = collector
    self.request = try SeriesRequest(
      run: request.runID,
      producer: request.producerID,
      steps: request.steps,
      maximumPoints: request.maxColumns
    )
    selector = try TensorSelector(wire: request.selector)
    guard let metric = Metric(wire: request.metric) else {
      throw .outOfRange(
        field: "metric",
        expected: "a known metric",
        found: "\(request.metric.rawValue)"
      )
    }
    self.metric = metric
    statistic =
      switch request.statistic {
      case .unspecified, .max: .max
      case .min: .min
      case .mean: .mean
      case .last: .last
      case .UNRECOGNIZED(let number):
        throw .outOfRange(
          field: "statistic",
          expected: "a known statistic",
          found: "\(number)"
        )
      }
  }

  func write(to writer: RPCWriter<Gradwatch_V1_GetHeatmapResponse>) async throws {
    let reader = try await collector.reader(of: request)
    let chosen =
      switch metric.subject {
      case .tensor: selector.tensors(in: reader.model)
      case .layer: selector.layers(in: reader.model)
      }
    guard !chosen.isEmpty else { throw Failure.nothingMatches(request.run).status }
    guard let steps = reader.steps(within: request.steps) else { return }
    let grid = HeatmapGrid(
      steps: steps,
      maximumColumns: request.maximumPoints ?? Self.defaultColumns
    )
    var response = Gradwatch_V1_GetHeatmapResponse.with {
      $0.columns.firstSteps = grid.firstSteps
      $0.columns.lastStep = grid.lastStep
    }
    for start in stride(from: 0, to: chosen.count, by: Self.rowsPerMessage) {
      try Task.checkCancellation()
      let some = Array(chosen[start...].prefix(Self.rowsPerMessage))
      let rows = try await collector.blocking.run { [metric, statistic] in
        try reader.rows(metric, of: some, steps: steps, grid, statistic)
      }
      response.rows = rows.map { row($0, of: reader.model) }
      try await writer.write(response)
      response = Gradwatch_V1_GetHeatmapResponse()
    }
  }

  private func row(_ row: HeatmapGrid.Row, of model: Model) -> Gradwatch_V1_HeatmapRow {
    .with {
      switch metric.subject {
      case .tensor:
        let tensor = model.tensors[Int(row.index)]
        $0.tensorID = row.index
        $0.tensorName = tensor.name
        $0.layerID = tensor.layer
      case .layer: $0.layerID = row.index
      }
      $0.layerName = model.layers[Int($0.layerID)].name
      $0.values = row.values
      $0.counts = row.counts
      if row.nonFiniteCounts.contains(where: { $0 > 0 }) {
        $0.nonFiniteCounts = row.nonFiniteCounts
      }
    }
  }
}
