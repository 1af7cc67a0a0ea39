import RunStore
import Telemetry

extension AlertCursor {
  /// Takes a cursor from the wire.
  ///
  /// - Throws: ``TelemetryError/outOfRange(field:expected:found:)`` if it is below 0.
  init(wire cursor: Int64, field: String) throws(TelemetryError) {
    guard cursor >= 0 else {
      throw .outOfRange(field: field, expected: "at least 0", found: "\(cursor)")
    }
    self.init(cursor)
  }
}
