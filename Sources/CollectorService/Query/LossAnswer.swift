import GRPCCore
import Query
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryWire

/// The answer to GetLossTimeline: all series together, a page in memory at a time.
struct LossAnswer {
  private let collector: Collector
  private let request: SeriesRequest
  private let values: @Sendable (StepScalars) -> [(name: String, value: Double)]

  init(collector: Collector, request: Gradwatch_V1_GetLossTimelineRequest) throws(TelemetryError) {
    self.collector = collector
    self.request = try SeriesRequest(
      run: request.runID,
      producer: request.producerID,
      steps: request.steps,
      maximumPoints: request.maxPoints
    )
    if !request.name.isEmpty { try Name.check(request.name, field: "name") }
    switch request.metric {
    case .unspecified, .loss:
      let glob = Glob(request.name)
      values = { scalars in
        scalars.losses.filter { glob.matches($0.name) }.map { ($0.name, $0.value) }
      }
    case .learningRate: values = { Self.named("learning_rate", $0.learningRate) }
    case .globalNorm: values = { Self.named("global_norm", $0.globalNorm) }
    case .lossScale: values = { Self.named("loss_scale", $0.lossScale) }
    case .UNRECOGNIZED(let number):
      throw .outOfRange(field: "metric", expected: "a known metric", found: "\(number)")
    }
  }

  func write(to writer: RPCWriter<Gradwatch_V1_GetLossTimelineResponse>) async throws {
    let reader = try await collector.reader(of: request)
    guard let steps = reader.steps(within: request.steps) else { return }
    var first: UInt64? = steps.lowerBound
    while let start = first {
      try Task.checkCancellation()
      let page = try await collector.blocking.run { [request, values] in
        try reader.scalars(
          steps: start...steps.upperBound,
          maximumPoints: request.maximumPoints,
          pageSize: CollectorOptions.pointsPerMessage,
          values: values
        )
      }
      for (name, points) in page.series {
        try await writer.write(
          .with {
            $0.name = name
            $0.producerID = reader.producer.rawValue
            $0.points = .init(points, isFullResolution: request.maximumPoints == nil)
          }
        )
      }
      first = page.next
    }
  }

  private static func named(_ name: String, _ value: Double?) -> [(name: String, value: Double)] {
    value.map { [(name, $0)] } ?? []
  }
}
