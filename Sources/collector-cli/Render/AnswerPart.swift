import SwiftProtobuf
import TelemetryWire

/// A message that is part of an answer: a long series comes in several, in step order.
protocol AnswerPart: SwiftProtobuf.Message {
  /// What parts of one series have in common, and no other series.
  var key: String { get }
  /// Adds the points of the next part.
  mutating func append(_ part: Self)
}

/// A part of a series of values.
protocol SeriesPart: AnswerPart {
  /// The names of the columns that say which series it is.
  static var identityColumns: [String] { get }
  /// Their values.
  var identity: [String] { get }
  /// What the series is of.
  var subject: String { get }
  /// The producer.
  var producerID: String { get }
  /// The points.
  var points: Gradwatch_V1_SeriesColumns { get set }
}

extension SeriesPart {
  var key: String { identity.joined(separator: "\0") }

  mutating func append(_ part: Self) {
    points.steps += part.points.steps
    points.last += part.points.last
    points.lastSteps += part.points.lastSteps
    points.min += part.points.min
    points.max += part.points.max
    points.mean += part.points.mean
    points.count += part.points.count
    points.nonFiniteCount += part.points.nonFiniteCount
  }
}

extension Gradwatch_V1_GetLayerTimelineResponse: SeriesPart {
  static var identityColumns: [String] { ["layer", "tensor", "producer"] }
  var identity: [String] { [layerName, tensorName, producerID] }
  var subject: String { tensorName.isEmpty ? layerName : tensorName }
}

extension Gradwatch_V1_GetLossTimelineResponse: SeriesPart {
  static var identityColumns: [String] { ["name", "producer"] }
  var identity: [String] { [name, producerID] }
  var subject: String { name }
}

extension Gradwatch_V1_GetHistogramsResponse: AnswerPart {
  var key: String { "\(tensorID)\0\(producerID)" }
  mutating func append(_ part: Self) { points += part.points }
}
