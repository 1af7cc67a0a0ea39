/// What a client says of a run, once, before its first report.
public struct RunRegistration: Hashable, Sendable {
  /// The run.
  public var run: RunID
  /// The project that groups runs; never empty (`default` if the client named none).
  public var project: String
  /// The name for people; empty if the client gave none.
  public var name: String
  /// Free labels.
  public var tags: [String]
  /// Hyper-parameters by name, as text.
  public var hyperparameters: [String: String]
  /// The framework and its version, such as `torch 2.13.0`; empty if unknown.
  public var framework: String
  /// The process that registers.
  public var producer: Producer
  /// The layers and tensors.
  public var model: Model

  /// The most tags, and the most hyper-parameters, that a run may carry.
  public static let maximumLabels = 1024
  /// The most bytes of one hyper-parameter's value.
  public static let maximumValueBytes = 16_384

  /// Takes a registration from a client, and checks its names.
  ///
  /// - Throws: ``TelemetryError`` for a name that ``Name/check(_:field:)`` refuses, or too many labels.
  public init(
    run: RunID,
    project: String,
    name: String = "",
    tags: [String] = [],
    hyperparameters: [String: String] = [:],
    framework: String = "",
    producer: Producer,
    model: Model
  ) throws(TelemetryError) {
    try Name.check(project, field: "project")
    if !name.isEmpty { try Name.check(name, field: "name") }
    if !framework.isEmpty { try Name.check(framework, field: "framework") }
    for (field, count) in [("tags", tags.count), ("hyperparameters", hyperparameters.count)]
    where count > Self.maximumLabels {
      throw .outOfRange(
        field: field,
        expected: "at most \(Self.maximumLabels)",
        found: "\(count)"
      )
    }
    for (index, tag) in tags.enumerated() { try Name.check(tag, field: "tags[\(index)]") }
    for (key, value) in hyperparameters {
      try Name.check(key, field: "hyperparameters key")
      guard value.utf8.count <= Self.maximumValueBytes else {
        throw .outOfRange(
          field: "hyperparameters value",
          expected: "at most \(Self.maximumValueBytes) bytes",
          found: "\(value.utf8.count) bytes"
        )
      }
    }
    self.run = run
    self.project = project
    self.name = name
    self.tags = tags
    self.hyperparameters = hyperparameters
    self.framework = framework
    self.producer = producer
    self.model = model
  }
}
