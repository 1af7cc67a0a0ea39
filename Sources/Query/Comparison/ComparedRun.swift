import RunStore
public import Telemetry

/// One of two runs that are compared.
public struct ComparedRun: Sendable {
  /// The run.
  public var run: RunID
  /// The producer whose reports were read.
  public var producer: ProducerID
  /// The number of its reports.
  public var stepCount: UInt64 = 0
  /// How many of their steps the other run does not have.
  public var ownStepCount: UInt64 = 0
  /// The last step; `nil`: none.
  public var lastStep: UInt64?
  /// Tensors that only this run has, in registration order; at most ``RunComparison/mostNames``.
  public var ownTensors: [String] = []
  /// Layers that only this run has, in forward order; likewise.
  public var ownLayers: [String] = []

  /// Begins with what a model has and the other one has not.
  init(_ reader: RunReader, beside other: Model) {
    run = reader.run.run
    producer = reader.producer
    let tensors = Set(other.tensors.lazy.map(\.name))
    let layers = Set(other.layers.lazy.map(\.name))
    ownTensors = Self.names(reader.model.tensors.lazy.map(\.name), without: tensors)
    ownLayers = Self.names(reader.model.layers.lazy.map(\.name), without: layers)
  }

  private static func names(_ names: some Sequence<String>, without: Set<String>) -> [String] {
    Array(names.lazy.filter { !without.contains($0) }.prefix(RunComparison.mostNames))
  }
}
