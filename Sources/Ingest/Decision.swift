public import Telemetry

/// What becomes of a report.
public enum Decision: Sendable, Equatable {
  /// Store it. If it rewinds, the producer's points at its step and above are replaced.
  case accept(StepReport, rewinds: Bool)
  /// It was taken before: ack again, store nothing.
  case duplicate
  /// Reports before it are missing: tell the client to go on from `expected`.
  case gap(expected: UInt64)
  /// It is wrong and will stay wrong: tell the client why, and count its number as taken.
  case refuse(TelemetryError)
}
