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
  /// The most cells of a message, which take 3 MB: clients take no more than 4, unless they ask for it.
  private static let cellsPerMessage = 1 << 19
  /// The most rows of a message, so that the first comes soon; each message reads the steps and the end of the log anew.
  private static let rowsPerMessage = 256

  private let collector: Collector
  private let request: SeriesRequest
  private let selection: MetricSelection
  private let statistic: SeriesPoints.Statistic

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
    selection = try MetricSelection(request.metric, of: request.selector)
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
    let chosen = selection.indices(in: reader.model)
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
    let size = 2 * Self.rowsPerMessage(of: grid)
    var messages = try await self.messages(chosen.prefix(size), steps, grid, reader)
    var rest = chosen.dropFirst(size)
    while !messages.isEmpty {
      try Task.checkCancellation()
      // The next ones are read while these are encoded and sent.
      let ahead = rest.prefix(size)
      async let following = self.messages(ahead, steps, grid, reader)
      for rows in messages where !rows.isEmpty {
        response.rows = rows
        try await writer.write(response)
        response = Gradwatch_V1_GetHeatmapResponse()
      }
      messages = try await following
      rest = rest.dropFirst(size)
    }
    // No row has a value, but there are steps.
    if response.hasColumns { try await writer.write(response) }
  }

  /// The rows of two messages, read on two connections to the database, because reading is what takes long; none if none is chosen.
  private func messages(
    _ chosen: ArraySlice<UInt32>,
    _ steps: ClosedRange<UInt64>,
    _ grid: HeatmapGrid,
    _ reader: RunReader
  ) async throws -> [[Gradwatch_V1_HeatmapRow]] {
    guard !chosen.isEmpty else { return [] }
    let size = Self.rowsPerMessage(of: grid)
    async let first = rows(chosen.prefix(size), steps, grid, reader)
    async let second = rows(chosen.dropFirst(size), steps, grid, reader)
    return try await [first, second]
  }

  private static func rowsPerMessage(of grid: HeatmapGrid) -> Int {
    Swift.min(rowsPerMessage, cellsPerMessage / Swift.max(grid.firstSteps.count, 1))
  }

  private func rows(
    _ chosen: ArraySlice<UInt32>,
    _ steps: ClosedRange<UInt64>,
    _ grid: HeatmapGrid,
    _ reader: RunReader
  ) async throws -> [Gradwatch_V1_HeatmapRow] {
    guard !chosen.isEmpty else { return [] }
    return try await collector.read(reader) { [metric = selection.metric, statistic] in
      try reader.rows(metric, of: Array(chosen), steps: steps, grid, statistic)
    }
    .map { row($0, of: reader.model) }
  }

  private func row(_ row: HeatmapGrid.Row, of model: Model) -> Gradwatch_V1_HeatmapRow {
    .with {
      let subject = selection.subject(row.index, in: model)
      if let tensor = subject.tensor { ($0.tensorID, $0.tensorName) = tensor }
      ($0.layerID, $0.layerName) = (subject.layer, subject.layerName)
      $0.values = row.values
      $0.counts = row.counts
      if row.nonFiniteCounts.contains(where: { $0 > 0 }) {
        $0.nonFiniteCounts = row.nonFiniteCounts
      }
    }
  }
}
