public import Telemetry

/// What a trace says of its run as a whole, but for its name and its ground truth.
public struct TraceHeader: Equatable, Sendable {
  /// The framework and its version; empty if unknown.
  public var framework: String
  /// The optimizer, the loss function and what else is known, as text.
  public var hyperparameters: [String: String]
  /// Layers by depth, modules that own no tensors among them, and tensors in the trace's order.
  public var model: Model

  /// What a collector has to know before the first report.
  ///
  /// - Parameters:
  ///   - run: The run's identifier; the trace has none to offer.
  ///   - project: The project.
  ///   - producer: The process that the collector takes for the run's own.
  /// - Returns: The registration, without a name for people.
  /// - Throws: ``Telemetry/TelemetryError`` for a name that it refuses.
  public func registration(
    run: RunID,
    project: String,
    producer: Producer
  ) throws(TelemetryError) -> RunRegistration {
    try RunRegistration(
      run: run,
      project: project,
      hyperparameters: hyperparameters,
      framework: framework,
      producer: producer,
      model: model
    )
  }
}
