public import Telemetry

/// A report that no collector takes, whatever its run's model is.
///
/// Permanent: what its process wrote is wrong. The reports around it are not touched by that.
public struct UnacceptableReport: Error, Equatable, Sendable {
  /// Its number in the file, and for the collector.
  public var sequence: UInt64
  /// The step that it is of, as it says.
  public var step: UInt64
  /// What is wrong with it.
  public var problem: TelemetryError

  /// Makes one.
  public init(sequence: UInt64, step: UInt64, problem: TelemetryError) {
    self.sequence = sequence
    self.step = step
    self.problem = problem
  }
}

extension UnacceptableReport: CustomStringConvertible {
  /// The place, the expected and the found, as one fragment.
  public var description: String { "report \(sequence): \(problem)" }
}
