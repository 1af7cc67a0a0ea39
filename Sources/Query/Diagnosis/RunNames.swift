import Telemetry

/// What findings look up in a run again and again, worked out once.
struct RunNames {
  /// The run's model.
  let model: Model
  /// The index of each layer by name.
  let layerPlaces: [String: Int]
  /// The rank of each producer that has one.
  let ranks: [ProducerID: UInt32]

  /// Works out what derives from the history.
  init(_ history: CaseHistory) {
    model = history.model
    layerPlaces = Dictionary(
      history.model.layers.enumerated().map { ($1.name, $0) },
      uniquingKeysWith: { first, _ in first }
    )
    ranks = history.producers.reduce(into: [:]) { $0[$1.id] = $1.rank }
  }
}
