import Query
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryWire

extension PageRequest {
  /// Takes the size and token of a listing's request.
  ///
  /// - Throws: ``Telemetry/TelemetryError`` for a size above the limit, or a token that is none of ours.
  init(size: UInt32, token: String) throws(TelemetryError) {
    guard size <= CollectorOptions.maximumPageSize else {
      throw .outOfRange(
        field: "page_size",
        expected: "at most \(CollectorOptions.maximumPageSize)",
        found: "\(size)"
      )
    }
    self.init(size: size == 0 ? CollectorOptions.defaultPageSize : Int(size))
    guard !token.isEmpty else { return }
    guard let place = Int64(token), place >= 0 else {
      throw .outOfRange(
        field: "page_token",
        expected: "the next_page_token of the page before",
        found: "another text"
      )
    }
    after = place
  }
}

extension Set<String> {
  /// Takes what a filter names from the wire.
  ///
  /// - Throws: ``Telemetry/TelemetryError`` for more than a filter may name.
  init(wanted names: [String], field: String) throws(TelemetryError) {
    self.init(names)
    guard count <= CollectorOptions.maximumFilterEntries else {
      throw .outOfRange(
        field: field,
        expected: "at most \(CollectorOptions.maximumFilterEntries)",
        found: "\(count)"
      )
    }
  }
}

extension SwiftProtobuf.Enum where RawValue == Int {
  /// What a filter asks for; `nil` if it is unspecified, so that all is wanted.
  ///
  /// - Throws: ``Telemetry/TelemetryError`` for a value of a later version: all would not be what was asked for.
  func wanted<Known>(
    _ known: (Self) -> Known?,
    field: String
  ) throws(TelemetryError) -> Known? {
    let found = known(self)
    guard found != nil || rawValue == 0 else {
      throw .outOfRange(field: field, expected: "a known value", found: "\(rawValue)")
    }
    return found
  }
}

extension TensorSelector {
  /// Takes a selector from the wire.
  ///
  /// - Throws: ``Telemetry/TelemetryError`` for an overlong glob or an unknown role.
  init(wire: Gradwatch_V1_Selector) throws(TelemetryError) {
    if !wire.layer.isEmpty { try Name.check(wire.layer, field: "selector.layer") }
    if !wire.tensor.isEmpty { try Name.check(wire.tensor, field: "selector.tensor") }
    var roles: Set<TensorRole> = []
    for (index, role) in wire.roles.enumerated() {
      guard let role = TensorRole(wire: role) else {
        throw .outOfRange(
          field: "selector.roles[\(index)]",
          expected: "a known role",
          found: "\(role.rawValue)"
        )
      }
      roles.insert(role)
    }
    self.init(layer: wire.layer, tensor: wire.tensor, roles: roles)
  }
}

extension Gradwatch_V1_StepRange {
  /// The steps, both ends included; all of them if nothing is set.
  ///
  /// - Throws: ``Telemetry/TelemetryError`` if the first is after the last.
  func range() throws(TelemetryError) -> ClosedRange<UInt64> {
    let last = hasLast ? Swift.min(self.last, Step.maximum) : Step.maximum
    guard first <= last else {
      throw .outOfRange(
        field: "steps",
        expected: "a first step that is not after the last",
        found: "\(first) to \(last)"
      )
    }
    return first...last
  }
}

/// What the requests of the streaming queries have in common, checked.
struct SeriesRequest: Sendable {
  var run: RunID
  var producer: ProducerID?
  var steps: ClosedRange<UInt64>
  /// `nil`: every measurement.
  var maximumPoints: Int?

  init(
    run: String,
    producer: String,
    steps: Gradwatch_V1_StepRange,
    maximumPoints: UInt32
  ) throws(TelemetryError) {
    self.run = try RunID(run)
    self.producer = producer.isEmpty ? nil : try ProducerID(producer)
    self.steps = try steps.range()
    guard maximumPoints <= CollectorOptions.maximumPoints else {
      throw .outOfRange(
        field: "max_points",
        expected: "at most \(CollectorOptions.maximumPoints)",
        found: "\(maximumPoints)"
      )
    }
    self.maximumPoints = maximumPoints == 0 ? nil : Int(maximumPoints)
  }

  /// The tensors or layers, as many together as have up to `points` points over some steps, one at least.
  func readings(
    of chosen: [UInt32],
    over steps: ClosedRange<UInt64>,
    points: Int
  ) -> [[UInt32]] {
    let all = steps.upperBound - steps.lowerBound + 1
    let most = Int(clamping: Swift.min(maximumPoints.map(UInt64.init) ?? .max, all))
    let count = Swift.max(points / most, 1)
    return stride(from: 0, to: chosen.count, by: count).map { start in
      Array(chosen[start..<Swift.min(start + count, chosen.count)])
    }
  }
}

extension Gradwatch_V1_AnnotationEntry {
  /// Makes the wire form of an annotation and where it stands.
  init(_ stored: StoredAnnotation) {
    self.init()
    producerID = stored.producer.rawValue
    step = stored.step
    receivedAt = .init(stored.receivedAt)
    annotation = .init(stored.annotation)
  }
}

extension Gradwatch_V1_SeriesColumns {
  /// Makes the wire form of downsampled points.
  init(_ points: SeriesPoints) {
    self.init()
    steps = points.steps
    last = points.last
    lastSteps = points.lastSteps
    min = points.min
    max = points.max
    mean = points.mean
    count = points.count
    nonFiniteCount = points.nonFiniteCount
  }

  /// Makes the wire form of plain measurements.
  init(_ slice: SeriesSlice) {
    self.init()
    steps = slice.steps
    last = slice.values
  }
}
