import Telemetry

/// The last values of one quantity, for evidence.
struct Recent: Sendable {
  /// The values, oldest first; at most ``Evidence/maximumRecent``.
  private(set) var points: [Evidence.Point] = []

  /// Adds a value, and forgets the oldest one if there are too many.
  mutating func append(step: UInt64, _ value: Double) {
    if points.count >= Evidence.maximumRecent { points.removeFirst() }
    points.append(Evidence.Point(step: step, value: value))
  }

  /// Visits the points.
  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&points)
  }
}
