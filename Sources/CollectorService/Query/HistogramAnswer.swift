import GRPCCore
import Query
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryWire

/// The answer to GetHistograms: a page in memory at a time, or a small answer's tensors together.
struct HistogramAnswer {
  /// Histograms in one message; one of 64 buckets takes about 200 bytes.
  fileprivate static let pointsPerMessage = 1024
  /// About the bytes of one message: 4 MB is the most that gRPC's clients take unless told otherwise.
  fileprivate static let bytesPerMessage = 1 << 20
  /// Histograms that are read at a time where a tensor has few: each reading goes through the end of the log anew.
  private static let pointsPerReading = 1 << 14
  /// About the bytes that are read at a time then.
  private static let bytesPerReading = 16 << 20

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
    guard
      request.maximumPoints != nil || steps.upperBound - steps.lowerBound < Self.pointsPerMessage
    else {
      for tensor in chosen { try await writePages(of: tensor, steps, reader, writer) }
      return
    }
    for tensors in request.readings(of: chosen, over: steps, points: Self.pointsPerReading) {
      try await write(tensors[...], steps, reader, writer)
    }
  }

  /// Writes the histograms of some tensors: read together, or by halves if they are too large for that.
  private func write(
    _ tensors: ArraySlice<UInt32>,
    _ steps: ClosedRange<UInt64>,
    _ reader: RunReader,
    _ writer: RPCWriter<Gradwatch_V1_GetHistogramsResponse>
  ) async throws {
    try Task.checkCancellation()
    if let found = try await collector.read(
      reader,
      {
        try together(Array(tensors), steps, reader)
      }
    ) {
      for tensor in tensors {
        for part in (found[tensor] ?? []).messages {
          try await writer.write(message(reader, tensor, part))
        }
      }
    } else if tensors.count > 1 {
      let middle = tensors.startIndex + tensors.count / 2
      try await write(tensors[..<middle], steps, reader, writer)
      try await write(tensors[middle...], steps, reader, writer)
    } else if let tensor = tensors.first {
      try await writePages(of: tensor, steps, reader, writer)
    }
  }

  /// The histograms of some tensors; `nil` if they are too large to be held together.
  private func together(
    _ tensors: [UInt32],
    _ steps: ClosedRange<UInt64>,
    _ reader: RunReader
  ) throws(QueryError) -> [UInt32: [HistogramPoint]]? {
    var found: [UInt32: [HistogramPoint]] = [:]
    var bytes = 0
    let isAll = try reader.histograms(
      of: tensors,
      steps: steps,
      maximumPoints: request.maximumPoints,
      maximumBytes: Self.bytesPerReading
    ) {
      bytes += $1.approximateBytes
      found[$0, default: []].append($1)
      return bytes <= Self.bytesPerReading
    }
    return isAll ? found : nil
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
      let page = try await collector.read(reader) { [request] in
        var (count, bytes) = (0, 0)
        return try reader.page(
          ofHistograms: tensor,
          steps: steps,
          maximumPoints: request.maximumPoints,
          from: start
        ) { points in
          // Each was counted when it was the last one.
          bytes += points[count...].reduce(0) { $0 + $1.approximateBytes }
          count = points.count
          return count >= Self.pointsPerMessage || bytes >= Self.bytesPerMessage
        }
      }
      first = page.next
      for part in page.points.messages { try await writer.write(message(reader, tensor, part)) }
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

extension [HistogramPoint] {
  /// The points in parts, each of which a message takes.
  fileprivate var messages: [ArraySlice<HistogramPoint>] {
    var parts: [ArraySlice<HistogramPoint>] = []
    var (start, bytes) = (0, 0)
    for (index, point) in enumerated() {
      let size = point.approximateBytes
      let isFull =
        index - start >= HistogramAnswer.pointsPerMessage
        || bytes + size > HistogramAnswer.bytesPerMessage
      if index > start, isFull {
        parts.append(self[start..<index])
        (start, bytes) = (index, 0)
      }
      bytes += size
    }
    if start < count { parts.append(self[start...]) }
    return parts
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
