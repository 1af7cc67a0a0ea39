import GRPCCore
import Query
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryWire

/// The answer to GetLayerTimeline: two pages of one series in memory at a time, or some series together.
struct TimelineAnswer {
  /// Points that are read at a time where a series has few: each reading goes through the end of the log anew.
  private static let pointsPerReading = 1 << 17
  /// The same of measurements, which take a quarter of a point's bytes.
  private static let measurementsPerReading = 1 << 19
  private let collector: Collector
  private let request: SeriesRequest
  private let selection: MetricSelection

  init(
    collector: Collector,
    request: Gradwatch_V1_GetLayerTimelineRequest
  ) throws(TelemetryError) {
    self.collector = collector
    self.request = try SeriesRequest(
      run: request.runID,
      producer: request.producerID,
      steps: request.steps,
      maximumPoints: request.maxPoints
    )
    selection = try MetricSelection(request.metric, of: request.selector)
  }

  func write(to writer: RPCWriter<Gradwatch_V1_GetLayerTimelineResponse>) async throws {
    let reader = try await collector.reader(of: request)
    let chosen = selection.indices(in: reader.model)
    guard !chosen.isEmpty else { throw Failure.nothingMatches(request.run).status }
    guard let steps = reader.steps(within: request.steps) else { return }
    guard let maximumPoints = request.maximumPoints else {
      try await writeAll(of: chosen, steps, reader, writer)
      return
    }
    for indices in request.readings(of: chosen, over: steps, points: Self.pointsPerReading) {
      try Task.checkCancellation()
      let series = try await collector.read(reader) { [metric = selection.metric] in
        try reader.series(metric, of: indices, steps: steps, maximumPoints: maximumPoints)
      }
      for (index, points) in series {
        try await writer.write(message(reader, index, .init(points)))
      }
    }
  }

  private func writeAll(
    of chosen: [UInt32],
    _ steps: ClosedRange<UInt64>,
    _ reader: RunReader,
    _ writer: RPCWriter<Gradwatch_V1_GetLayerTimelineResponse>
  ) async throws {
    for indices in request.readings(of: chosen, over: steps, points: Self.measurementsPerReading) {
      try Task.checkCancellation()
      if indices.count == 1 {
        try await writePages(of: indices[0], steps, reader, writer)
        continue
      }
      let series = try await collector.read(reader) { [metric = selection.metric] in
        var series: [UInt32: SeriesSlice] = [:]
        try reader.measurements(metric, of: indices, steps: steps) { index, slice in
          series[index, default: SeriesSlice()].steps += slice.steps
          series[index, default: SeriesSlice()].values += slice.values
        }
        return series
      }
      for index in indices {
        for part in (series[index] ?? SeriesSlice()).parts(of: CollectorOptions.pointsPerMessage) {
          try await writer.write(message(reader, index, .init(part)))
        }
      }
    }
  }

  private func writePages(
    of index: UInt32,
    _ steps: ClosedRange<UInt64>,
    _ reader: RunReader,
    _ writer: RPCWriter<Gradwatch_V1_GetLayerTimelineResponse>
  ) async throws {
    // A short one first, so that the client has something to do while the next is read.
    var page = try await page(of: index, steps, size: CollectorOptions.pointsPerMessage / 4, reader)
    while let last = page.steps.last {
      // The next one is read while this one is encoded and sent.
      async let next =
        last < steps.upperBound
        ? self.page(
          of: index,
          last + 1...steps.upperBound,
          size: CollectorOptions.pointsPerMessage,
          reader
        ) : SeriesSlice()
      try await writer.write(message(reader, index, .init(page)))
      page = try await next
    }
  }

  private func page(
    of index: UInt32,
    _ steps: ClosedRange<UInt64>,
    size: Int,
    _ reader: RunReader
  ) async throws -> SeriesSlice {
    try await collector.read(reader) { [metric = selection.metric] in
      try reader.page(metric, of: index, steps: steps, size: size)
    }
  }

  private func message(
    _ reader: RunReader,
    _ index: UInt32,
    _ points: Gradwatch_V1_SeriesColumns
  ) -> Gradwatch_V1_GetLayerTimelineResponse {
    .with {
      let subject = selection.subject(index, in: reader.model)
      if let tensor = subject.tensor { ($0.tensorID, $0.tensorName) = tensor }
      ($0.layerID, $0.layerName) = (subject.layer, subject.layerName)
      $0.producerID = reader.producer.rawValue
      $0.points = points
    }
  }
}

extension Collector {
  /// Opens the run of a request.
  func reader(of request: SeriesRequest) async throws -> RunReader {
    try await blocking.run { [store] in
      try RunReader(run: request.run, producer: request.producer, store: store)
    }
  }

  /// Reads something of a run.
  ///
  /// - Throws: What `body` throws; ``Failure/runDeleted(_:)`` if the run was deleted since it was opened: perhaps another has its name
  ///   now, and what was read is of that.
  func read<Value: Sendable>(
    _ reader: RunReader,
    _ body: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    try await blocking.run { [store] in
      let result = Result(catching: body)
      guard try store.creation(of: reader.run.run) == reader.run.createdAt else {
        throw Failure.runDeleted(reader.run.run).status
      }
      return try result.get()
    }
  }
}
