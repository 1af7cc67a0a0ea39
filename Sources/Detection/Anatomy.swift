import Telemetry

/// What rules ask of a model again and again, worked out once.
struct Anatomy: Sendable {
  /// The model.
  let model: Model
  /// The trainable tensors that multiply activations and own their storage, in forward order.
  ///
  /// Rules that compare layers look at these alone: offsets, normalization gains and lookup tables
  /// have gradients of another scale, and a shared tensor's gradient sums two paths.
  let weights: [Int]
  /// The layers that own ``weights``, in forward order.
  let weightLayers: [UInt32]
  /// For each of ``weights``, the index of its layer in ``weightLayers``.
  let slots: [Int]
  /// The places in ``weightLayers`` of one chain of layers: of nets side by side, the deepest.
  private(set) var chain = 0..<0
  /// For each of ``weights``, 1/sqrt(min(rows, columns)).
  ///
  /// A random matrix's largest singular value is about its Frobenius norm times this, so times this
  /// a parameter norm is the layer's gain, whatever its width and whichever axis comes first.
  let gains: [Float]

  /// Whether any layer was registered with its number of inputs.
  private let hasFanIns: Bool

  /// For each layer, the number of its block: layers whose names agree up to the last number that has
  /// something behind it (`blocks.3.attn.q`, `blocks.3.mlp`) are one block, others stand alone.
  let blocks: [Int]

  /// Works out what derives from `model`.
  init(_ model: Model) {
    self.model = model
    let weights = model.tensors.indices
      .filter { Self.isWeight(model.tensors[$0]) }
      .sorted { (model.tensors[$0].layer, $0) < (model.tensors[$1].layer, $1) }
    var layers: [UInt32] = []
    var slots: [Int] = []
    for tensor in weights {
      if layers.last != model.tensors[tensor].layer {
        layers.append(model.tensors[tensor].layer)
      }
      slots.append(layers.count - 1)
    }
    self.weights = weights
    self.weightLayers = layers
    self.slots = slots
    self.blocks = Self.blocks(of: model)
    self.hasFanIns = model.layers.contains { ($0.fanIn ?? 0) > 0 }
    self.gains = weights.map { 1 / Float(Self.smallerSide(of: model.tensors[$0])).squareRoot() }
    chain = deepestChain()
  }

  private static func blocks(of model: Model) -> [Int] {
    var numbers: [String: Int] = [:]
    return model.layers.map { layer in
      let parts = layer.name.split(separator: ".")
      // A number at the end is the layer's own, as in a sequence of plain layers.
      let number = parts.dropLast().lastIndex { $0.allSatisfy(\.isNumber) }
      let name = number.map { parts[...$0].joined(separator: ".") } ?? layer.name
      if let number = numbers[name] { return number }
      numbers[name] = numbers.count
      return numbers.count - 1
    }
  }

  /// Whether the tensor is one of those that layers are compared by.
  private static func isWeight(_ tensor: Tensor) -> Bool {
    guard tensor.isTrainable, tensor.tiedTo == nil else { return false }
    return switch tensor.role {
    case .weight, .recurrent, .head: true
    case .unspecified: tensor.shape.count >= 2
    case .bias, .norm, .embedding: false
    }
  }

  private static func smallerSide(of tensor: Tensor) -> UInt64 {
    guard tensor.shape.count >= 2 else { return 1 }
    return max(1, min(tensor.shape[0], tensor.elementCount / max(1, tensor.shape[0])))
  }

  /// The name of a layer.
  func name(ofLayer layer: UInt32) -> String {
    model.layers.indices.contains(Int(layer)) ? model.layers[Int(layer)].name : "layer \(layer)"
  }

  /// The names of `layers`, at most as many as evidence may carry.
  func names(ofLayers layers: some Sequence<UInt32>) -> [String] {
    layers.prefix(Evidence.maximumNames).map(name(ofLayer:))
  }

  /// The names of the layers of `tensors`, at most as many as evidence may carry.
  func names(ofLayersOf tensors: some Sequence<Int>) -> [String] {
    names(ofLayers: layers(ofTensors: tensors))
  }

  /// The layers of `tensors`, each once, in forward order.
  func layers(ofTensors tensors: some Sequence<Int>) -> [UInt32] {
    Set(tensors.map { model.tensors[$0].layer }).sorted()
  }

  /// Where the weights of a layer are in ``weights``.
  func positions(ofLayer layer: UInt32) -> Range<Int> {
    var (low, high) = (0, weights.count)
    while low < high {
      let middle = (low + high) / 2
      if model.tensors[weights[middle]].layer < layer { low = middle + 1 } else { high = middle }
    }
    let end = weights[low...].firstIndex { model.tensors[$0].layer != layer }
    return low..<(end ?? weights.count)
  }

  /// The number of inputs of one unit: as registered, else by the shape in PyTorch's order.
  ///
  /// `nil` for what does not multiply its layer's inputs. Where others are registered with it, a layer
  /// without one multiplies nothing (centres of bumps, a codebook). Beside a kernel, a tensor along one axis
  /// is its gain. Of several matrices in a layer that nobody described (means and spreads of random
  /// weights) it is not known which one multiplies.
  func fanIn(ofTensor index: Int) -> Double? {
    let tensor = model.tensors[index]
    let others = weights[positions(ofLayer: tensor.layer)].filter { other in
      other != index && model.tensors[other].role != .recurrent
    }
    if let fanIn = model.layers[Int(tensor.layer)].fanIn, fanIn > 0 {
      return others.isEmpty || Self.isMatrix(tensor) ? Double(fanIn) : nil
    }
    guard !hasFanIns, tensor.shape.count >= 2, tensor.shape[0] > 0,
      !others.contains(where: { Self.isMatrix(model.tensors[$0]) })
    else { return nil }
    return Double(tensor.elementCount / tensor.shape[0])
  }

  /// Whether the tensor extends along two axes at least, or its shape is unknown.
  private static func isMatrix(_ tensor: Tensor) -> Bool {
    tensor.shape.isEmpty || tensor.shape.count { $0 > 1 } >= 2
  }
}
