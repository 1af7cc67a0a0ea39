import GRPCCore
import Query
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryWire

/// The answer to GetLossTimeline: all series together, a page in memory at a time, or a short answer as a whole.
struct LossAnswer {
  private let collector: Collector
  private let request: SeriesRequest
  private let metric: StepMetric
  /// Which losses are wanted.
  private let names: Glob

  init(collector: Collector, request: Gradwatch_V1_GetLossTimelineRequest) throws(TelemetryError) {
    self.collector = collector
    self.request = try SeriesRequest(
      run: request.runID,
      producer: request.producerID,
      steps: request.steps,
      maximumPoints: request.maxPoints
    )
    if !request.name.isEmpty { try Name.check(request.name, field: "name") }
    metric = try StepMetric(wire: request.metric)
    names = Glob(metric == .loss ? request.name : "")
  }

  func write(to writer: RPCWriter<Gradwatch_V1_GetLossTimelineResponse>) async throws {
    let reader = try await collector.reader(of: request)
    guard let steps = reader.steps(within: request.steps) else { return }
    if let maximumPoints = request.maximumPoints {
      let series = try await collector.read(reader) { [metric, names] in
        try reader.stepSeries(
          metric,
          steps: steps,
          maximumPoints: maximumPoints,
          where: names.matches
        )
      }
      for (name, points) in series {
        try await writer.write(message(reader, name, .init(points)))
      }
      return
    }
    var first: UInt64? = steps.lowerBound
    while let start = first {
      try Task.checkCancellation()
      let page = try await collector.read(reader) { [metric, names] in
        try reader.stepPage(
          metric,
          steps: start...steps.upperBound,
          size: CollectorOptions.pointsPerMessage,
          where: names.matches
        )
      }
      for (name, slice) in page.series {
        try await writer.write(message(reader, name, .init(slice)))
      }
      first = page.next
    }
  }

  private func message(
    _ reader: RunReader,
    _ name: String,
    _ points: Gradwatch_V1_SeriesColumns
  ) -> Gradwatch_V1_GetLossTimelineResponse {
    .with {
      $0.name = name
      $0.producerID = reader.producer.rawValue
      $0.points = points
    }
  }
}

extension StepMetric {
  /// Takes a metric from the wire; unspecified: the losses.
  ///
  /// - Throws: ``Telemetry/TelemetryError`` for an unknown one.
  fileprivate init(wire: Gradwatch_V1_StepMetric) throws(TelemetryError) {
    switch wire {
    case .unspecified, .loss: self = .loss
    case .learningRate: self = .learningRate
    case .globalNorm: self = .globalNorm
    case .lossScale: self = .lossScale
    case .UNRECOGNIZED(let number):
      throw .outOfRange(field: "metric", expected: "a known metric", found: "\(number)")
    }
  }
}
