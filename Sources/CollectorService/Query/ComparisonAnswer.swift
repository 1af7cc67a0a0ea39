import GRPCCore
import Query
import RunStore
import SwiftProtobuf
import Synchronization
import Telemetry
import TelemetryWire

/// The answer to CompareRuns: both runs are read side by side, then the layers are written one by one.
struct ComparisonAnswer {
  private static let mostPartingSteps: UInt32 = 1000

  private let collector: Collector
  private let a: SeriesRequest
  private let b: SeriesRequest
  private let options: ComparisonOptions

  init(collector: Collector, request: Gradwatch_V1_CompareRunsRequest) throws(TelemetryError) {
    self.collector = collector
    func side(
      _ run: String,
      _ producer: String,
      _ field: String
    ) throws(TelemetryError) -> SeriesRequest {
      // The field that RunID would name does not say which of the two it is.
      try Name.check(run, field: field)
      return try SeriesRequest(
        run: run,
        producer: producer,
        steps: request.steps,
        maximumPoints: 0
      )
    }
    a = try side(request.runA, request.producerA, "run_a")
    b = try side(request.runB, request.producerB, "run_b")
    var options = ComparisonOptions()
    guard let metric = Metric(wire: request.metric) else {
      throw .outOfRange(
        field: "metric",
        expected: "a known metric",
        found: "\(request.metric.rawValue)"
      )
    }
    options.metric = metric
    options.selector = try TensorSelector(wire: request.selector)
    options.steps = a.steps
    if request.hasLogRatioBound {
      guard request.logRatioBound.isFinite, request.logRatioBound > 0 else {
        throw .outOfRange(
          field: "log_ratio_bound",
          expected: "a finite number above 0",
          found: "\(request.logRatioBound)"
        )
      }
      options.bound = request.logRatioBound
    }
    options.persistence = try Self.limited(
      request.partingSteps,
      "parting_steps",
      to: Self.mostPartingSteps,
      standard: options.persistence
    )
    options.maximumPoints = try Self.limited(
      request.maxPoints,
      "max_points",
      to: UInt32(ComparisonOptions.mostPoints),
      standard: options.maximumPoints
    )
    options.maximumLayers = try Self.limited(
      request.maxLayers,
      "max_layers",
      to: UInt32(ComparisonOptions.mostLayers),
      standard: options.maximumLayers
    )
    self.options = options
  }

  func write(to writer: RPCWriter<Gradwatch_V1_CompareRunsResponse>) async throws {
    let (comparison, layers) = try await collector.comparisons.hold { try await compare() }
    try await writer.write(.with { $0.comparison = .init(comparison) })
    for layer in layers { try await writer.write(.with { $0.layer = .init(layer) }) }
  }

  private func compare() async throws -> (RunComparison, [LayerComparison]) {
    let readerA = try await collector.reader(of: a)
    let readerB = try await collector.reader(of: b)
    let work = try await collector.blocking.run { [options] in
      ComparisonWork(try RunComparer(a: readerA, b: readerB, options: options))
    }
    // Some steps at a time, so that other queries get their turn and a client that left is noticed.
    while try await collector.blocking.run({ try work.advance() }) {
      try Task.checkCancellation()
    }
    return try await collector.blocking.run { try work.finish() }
  }

  private static func limited(
    _ value: UInt32,
    _ field: String,
    to limit: UInt32,
    standard: Int
  ) throws(TelemetryError) -> Int {
    guard value <= limit else {
      throw .outOfRange(field: field, expected: "at most \(limit)", found: "\(value)")
    }
    return value == 0 ? standard : Int(value)
  }
}

/// A comparison under way, which one thread after the other takes a piece further.
private final class ComparisonWork: Sendable {
  private let comparer: Mutex<RunComparer>

  init(_ comparer: sending RunComparer) { self.comparer = Mutex(comparer) }

  func advance() throws(QueryError) -> Bool {
    try comparer.withLock { comparer throws(QueryError) in try comparer.advance() }
  }

  func finish() throws(QueryError) -> (RunComparison, [LayerComparison]) {
    try comparer.withLock { comparer throws(QueryError) in try comparer.finish() }
  }
}
