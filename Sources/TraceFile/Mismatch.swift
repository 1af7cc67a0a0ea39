import Foundation
import Telemetry

/// What one line has wrong, before it is known which line of which file it is.
struct Mismatch: Error, Equatable {
  /// Where in the line, as `params[2].shape`.
  var field: String
  var expected: String
  var found: String
}

extension Mismatch {
  /// Takes what a decoder, or a check of a line's content, has thrown.
  init(_ error: any Error) {
    switch error {
    case let mismatch as Mismatch: self = mismatch
    case let error as DecodingError: self.init(error)
    case let error as TelemetryError: self.init(error)
    default: self.init(field: "line", expected: "JSON", found: "\(error)")
    }
  }

  private init(_ error: DecodingError) {
    switch error {
    case .typeMismatch(let type, let context):
      self.init(
        field: Self.path(context.codingPath),
        expected: Self.words(for: type),
        found: Self.found(in: context.debugDescription)
      )
    case .valueNotFound(let type, let context):
      self.init(
        field: Self.path(context.codingPath),
        expected: Self.words(for: type),
        found: Self.found(in: context.debugDescription, otherwise: "null")
      )
    case .keyNotFound(let key, let context):
      self.init(
        field: Self.path(context.codingPath + [key]),
        expected: "a value",
        found: "none"
      )
    case .dataCorrupted(let context):
      self.init(
        field: Self.path(context.codingPath),
        expected: "proper JSON, with numbers in range",
        found: context.debugDescription
      )
    @unknown default:
      self.init(field: "line", expected: "JSON", found: "\(error)")
    }
  }

  private init(_ error: TelemetryError) {
    switch error {
    case .outOfRange(let field, let expected, let found):
      self.init(field: field, expected: expected, found: found)
    case .columnLength(let column, let expected, let found):
      self.init(field: column, expected: "\(expected) values", found: "\(found)")
    case .unknownIndex(let column, let index, let count):
      self.init(field: column, expected: "an index below \(count)", found: "\(index)")
    case .histogramTotal(let tensor, let expected, let found):
      self.init(
        field: "histogram of \(tensor)",
        expected: "\(expected) elements",
        found: "\(found)"
      )
    }
  }

  /// Where a decoder stands, as `params[2].shape`.
  static func path(_ keys: [any CodingKey]) -> String {
    guard !keys.isEmpty else { return "line" }
    return keys.reduce(into: "") { path, key in
      if let index = key.intValue {
        path += "[\(index)]"
      } else {
        path += (path.isEmpty ? "" : ".") + key.stringValue
      }
    }
  }

  private static func words(for type: any Any.Type) -> String {
    switch type {
    case is Double.Type, is Int.Type, is Int32.Type, is UInt32.Type, is UInt64.Type: "a number"
    case is Bool.Type: "true or false"
    case is String.Type: "text"
    case is [String: any Sendable].Type: "an object"
    default: "\(type)".contains("Array") ? "a list" : "an object"
    }
  }

  /// The end of the decoder's own "Expected to decode Double but found a string instead.".
  private static func found(in text: String, otherwise: String = "another type") -> String {
    guard let start = text.range(of: "but found "),
      let end = text.range(of: " instead", range: start.upperBound..<text.endIndex)
    else { return otherwise }
    return String(text[start.upperBound..<end.lowerBound])
  }
}
