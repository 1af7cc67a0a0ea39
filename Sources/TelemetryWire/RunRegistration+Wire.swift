public import Telemetry

extension RunRegistration {
  /// Takes a registration from the wire and checks it.
  ///
  /// - Parameters:
  ///   - wire: The request.
  ///   - generatedID: The identifier to use if the client chose none.
  /// - Throws: ``TelemetryError`` for names, labels or a model that are not allowed.
  public init(
    wire: Gradwatch_V1_RegisterRunRequest,
    generatedID: @autoclosure () -> String
  )
    throws(TelemetryError)
  {
    let producer = wire.producer
    try self.init(
      run: try RunID(wire.runID.isEmpty ? generatedID() : wire.runID),
      project: wire.project.isEmpty ? Self.defaultProject : wire.project,
      name: wire.name,
      tags: wire.tags,
      hyperparameters: wire.hyperparameters,
      framework: wire.framework,
      producer: Producer(
        id: try ProducerID(producer.producerID),
        rank: producer.hasRank ? producer.rank : nil,
        worldSize: producer.hasWorldSize ? producer.worldSize : nil
      ),
      model: try Model(wire: wire.model)
    )
  }

  /// The project of a run that names none.
  public static let defaultProject = "default"
}

extension Gradwatch_V1_RegisterRunRequest {
  /// Makes the wire form of a registration.
  public init(_ registration: RunRegistration) {
    self.init()
    runID = registration.run.rawValue
    project = registration.project
    name = registration.name
    tags = registration.tags
    hyperparameters = registration.hyperparameters
    framework = registration.framework
    producer = Gradwatch_V1_Producer(registration.producer)
    model = Gradwatch_V1_Model(registration.model)
  }
}

extension Gradwatch_V1_Producer {
  /// Makes the wire form of a producer.
  public init(_ producer: Producer) {
    self.init()
    producerID = producer.id.rawValue
    if let rank = producer.rank { self.rank = rank }
    if let size = producer.worldSize { worldSize = size }
  }
}
