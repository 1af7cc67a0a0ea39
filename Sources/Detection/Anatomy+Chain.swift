import Telemetry

extension Anatomy {
  /// The places in ``weightLayers`` of the deepest of the chains that stand side by side; all if there is one.
  ///
  /// A dense layer begins another chain, as a critic beside its actor does, if it reads the model's inputs
  /// again: it is in another module than the layer before it, has as many inputs as the first layer of all,
  /// and the outputs of the layer before it can't be these.
  func deepestChain() -> Range<Int> {
    let modules = modules()
    var (deepest, start) = (0..<0, 0)
    for place in weightLayers.indices.dropFirst()
    where modules[place] != modules[place - 1] && readsInputs(place) {
      if place - start > deepest.count { deepest = start..<place }
      start = place
    }
    return weightLayers.count - start > deepest.count ? start..<weightLayers.count : deepest
  }

  /// For each of ``weightLayers``, the outermost module that is not around all of them; "" for a layer that
  /// is in none.
  private func modules() -> [Substring] {
    let paths = weightLayers.map { name(ofLayer: $0).split(separator: ".") }
    guard let first = paths.first else { return [] }
    let depth = first.indices.first { index in
      paths.contains { index >= $0.count || $0[index] != first[index] }
    }
    return paths.map { path in depth.map { $0 + 1 < path.count ? path[$0] : "" } ?? "" }
  }

  /// Whether a dense layer has the first layer's inputs and not those that the layer before it gives.
  private func readsInputs(_ place: Int) -> Bool {
    guard let first = sides(ofPlace: 0), let own = sides(ofPlace: place),
      let before = sides(ofPlace: place - 1)
    else { return false }
    // Gates and chunks are a part of the outputs.
    return own.inputs == first.inputs
      && before.outputs.truncatingRemainder(dividingBy: own.inputs) != 0
  }

  /// The numbers of inputs and outputs of a dense layer.
  private func sides(ofPlace place: Int) -> (inputs: Double, outputs: Double)? {
    let own = weights[positions(ofLayer: weightLayers[place])]
    guard let weight = own.first(where: { model.tensors[$0].role != .recurrent }) else {
      return nil
    }
    let tensor = model.tensors[weight]
    guard tensor.shape.count == 2, let inputs = fanIn(ofTensor: weight) else { return nil }
    return (inputs, Double(tensor.elementCount) / inputs)
  }
}
