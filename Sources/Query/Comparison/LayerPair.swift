import Telemetry

/// A layer that two models have in common, and what of it is compared.
struct LayerPair: Sendable {
  /// The layer's name in model a.
  var name: String
  /// Its index in model a.
  var a: UInt32
  /// Its index in model b.
  var b: UInt32
  /// What is compared in model a: tensors, or the layer itself if the metric is of layers.
  var subjectsA: [UInt32]
  /// The same in model b.
  var subjectsB: [UInt32]
  /// The names of the subjects; empty if they don't correspond one by one.
  var subjectNames: [String]

  /// The layers that two models have in common, in forward order of model a.
  ///
  /// Tensors are aligned by name, wherever they are in model b. A layer none of whose tensors is there is
  /// aligned by its own name, with all of its tensors.
  static func all(_ a: Model, _ b: Model, metric: Metric, selector: TensorSelector) -> [LayerPair] {
    let layersB = Dictionary(
      zip(b.layers.map(\.name), UInt32(0)...),
      uniquingKeysWith: { first, _ in first }
    )
    let tensorsB = Dictionary(
      zip(b.tensors.map(\.name), UInt32(0)...),
      uniquingKeysWith: { first, _ in first }
    )
    let chosen = Dictionary(grouping: selector.tensors(in: a)) { a.tensors[Int($0)].layer }
    return selector.layers(in: a).compactMap { layer in
      let name = a.layers[Int(layer)].name
      var pair = LayerPair(
        name: name,
        a: layer,
        b: layersB[name] ?? 0,
        subjectsA: [],
        subjectsB: [],
        subjectNames: []
      )
      if metric.subject == .layer {
        guard layersB[name] != nil else { return nil }
        (pair.subjectsA, pair.subjectsB, pair.subjectNames) = ([layer], [pair.b], [name])
        return pair
      }
      let tensors = chosen[layer] ?? []
      for tensor in tensors {
        let name = a.tensors[Int(tensor)].name
        guard let other = tensorsB[name] else { continue }
        pair.subjectsA.append(tensor)
        pair.subjectsB.append(other)
        pair.subjectNames.append(name)
      }
      if let other = pair.subjectsB.first {
        pair.b = b.tensors[Int(other)].layer
        return pair
      }
      guard let other = layersB[name] else { return nil }
      pair.subjectsA = tensors
      pair.subjectsB = b.tensors.indices.map(UInt32.init).filter {
        b.tensors[Int($0)].layer == other
      }
      return pair.subjectsA.isEmpty || pair.subjectsB.isEmpty ? nil : pair
    }
  }
}
