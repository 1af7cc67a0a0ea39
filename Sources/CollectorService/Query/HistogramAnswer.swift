import GRPCCore
import Query
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryWire

/// The answer to GetHistograms: a page in memory at a time, or a short answer's tensors together.
struct HistogramAnswer {
  /// Histograms in one message; one of 64 buckets takes about 200 bytes.
  private static let pointsPerMessage = 1024
  /// Histograms that are read at a time where a tensor has few: each reading goes through the end of the log anew.
  private static let pointsPerReading = 1 << 14

  private let collector: Collector
  private let request: SeriesRequest
  private let selector: TensorSelector

  init(
    collector: Collector,
    request: Gradwatch_V1_GetHistogramsRequest
  ) throws(TelemetryError) {
    self.collector = collector
    self.request = try SeriesRequest(
      run: request.runID,
      producer: request.producerID,
      steps: request.steps,
      maximumPoints: request.maxPoints
    )
    selector = try TensorSelector(wire: request.selector)
  }

  func write(to writer: RPCWriter<Gradwatch_V1_GetHistogramsResponse>) async throws {
    let reader = try await collector.reader(of: request)
    let chosen = selector.tensors(in: reader.model)
    guard !chosen.isEmpty else { throw Failure.nothingMatches(request.run).status }
    guard let steps = reader.steps(within: request.steps) else { return }
    // With a bound on the points the whole range is one page: parts must not be cut at its edges.
    guard
      request.maximumPoints != nil || steps.upperBound - steps.lowerBound < Self.pointsPerMessage
    else {
      for tensor in chosen { try await writePages(of: tensor, steps, reader, writer) }
      return
    }
    for tensors in request.readings(of: chosen, over: steps, points: Self.pointsPerReading) {
      try Task.checkCancellation()
      let found = try await collector.blocking.run { [request] in
        var found: [UInt32: [HistogramPoint]] = [:]
        try reader.histograms(of: tensors, steps: steps, maximumPoints: request.maximumPoints) {
          found[$0, default: []].append($1)
          return true
        }
        return found
      }
      for tensor in tensors {
        var points = (found[tensor] ?? [])[...]
        while !points.isEmpty {
          let some = points.prefix(Self.pointsPerMessage)
          try await writer.write(message(reader, tensor, some))
          points = points.dropFirst(some.count)
        }
      }
    }
  }

  private func writePages(
    of tensor: UInt32,
    _ steps: ClosedRange<UInt64>,
    _ reader: RunReader,
    _ writer: RPCWriter<Gradwatch_V1_GetHistogramsResponse>
  ) async throws {
    var first: UInt64? = steps.lowerBound
    while let start = first {
      try Task.checkCancellation()
      let page = try await collector.blocking.run {
        try reader.page(
          ofHistograms: tensor,
          steps: start...steps.upperBound,
          size: Self.pointsPerMessage
        )
      }
      first = page.next
      guard !page.points.isEmpty else { continue }
      try await writer.write(message(reader, tensor, page.points[...]))
    }
  }

  private func message(
    _ reader: RunReader,
    _ tensor: UInt32,
    _ points: ArraySlice<HistogramPoint>
  ) -> Gradwatch_V1_GetHistogramsResponse {
    .with {
      $0.tensorID = tensor
      $0.tensorName = reader.model.tensors[Int(tensor)].name
      $0.producerID = reader.producer.rawValue
      $0.points = points.map(Gradwatch_V1_HistogramPoint.init)
    }
  }
}

extension RunReader {
  /// A page of one tensor's histograms, and where the next begins; `nil` if there is no more.
  fileprivate func page(
    ofHistograms tensor: UInt32,
    steps: ClosedRange<UInt64>,
    size: Int
  ) throws(QueryError) -> (points: [HistogramPoint], next: UInt64?) {
    var points: [HistogramPoint] = []
    var next: UInt64?
    try histograms(of: [tensor], steps: steps, maximumPoints: nil) { _, point in
      // A step may have both forms, and the next page begins at a step.
      if points.count >= size, point.firstStep != points.last?.firstStep {
        next = point.firstStep
        return false
      }
      points.append(point)
      return true
    }
    return (points, next)
  }
}

extension Gradwatch_V1_HistogramPoint {
  fileprivate init(_ point: HistogramPoint) {
    self.init()
    firstStep = point.firstStep
    lastStep = point.lastStep
    mergedCount = point.mergedCount
    form = OneOf_Form(point.histogram)
  }
}
