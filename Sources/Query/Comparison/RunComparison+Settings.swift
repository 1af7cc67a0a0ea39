import RunStore
import Telemetry

extension RunComparison {
  /// Finds the hyper-parameters that differ.
  mutating func compareSettings(_ a: RunRecord, _ b: RunRecord) {
    for name in Set(a.hyperparameters.keys).union(b.hyperparameters.keys).sorted() {
      let (left, right) = (a.hyperparameters[name], b.hyperparameters[name])
      if left != right { hyperparameters.append(Difference(name: name, a: left, b: right)) }
    }
  }

  /// Finds the properties that differ of layers and tensors that both models have.
  mutating func compareModels(_ a: Model, _ b: Model) {
    let layers = Dictionary(b.layers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let tensors = Dictionary(
      b.tensors.map { ($0.name, $0) },
      uniquingKeysWith: { first, _ in first }
    )
    for layer in a.layers {
      guard let other = layers[layer.name] else { continue }
      addDifferences(of: layer.name, layer.properties, other.properties)
    }
    for tensor in a.tensors {
      guard let other = tensors[tensor.name] else { continue }
      addDifferences(of: tensor.name, tensor.properties, other.properties)
    }
  }

  private mutating func addDifferences(
    of name: String,
    _ a: [(String, String?)],
    _ b: [(String, String?)]
  ) {
    for (left, right) in zip(a, b) where left.1 != right.1 {
      guard model.count < Self.mostNames else { return }
      model.append(Difference(name: "\(name) \(left.0)", a: left.1, b: right.1))
    }
  }

  /// Finds the first step at which a number of the step differs.
  mutating func compareStepSettings(_ a: StepScalars, _ b: StepScalars) {
    // Told apart before anything is made of them: this is asked of every step.
    if a.learningRate != b.learningRate {
      add("learning_rate", at: a.step, a.learningRate, b.learningRate)
    }
    if a.batchSize != b.batchSize {
      add("batch_size", at: a.step, a.batchSize.map { Double($0) }, b.batchSize.map { Double($0) })
    }
    if a.clipping?.threshold != b.clipping?.threshold {
      add("clipping.threshold", at: a.step, a.clipping?.threshold, b.clipping?.threshold)
    }
    if a.lossScale?.bitPattern != b.lossScale?.bitPattern {
      add("loss_scale", at: a.step, a.lossScale, b.lossScale)
    }
  }

  private mutating func add(_ name: String, at step: UInt64, _ a: Double?, _ b: Double?) {
    guard !stepSettings.contains(where: { $0.name == name }) else { return }
    stepSettings.append(StepDifference(name: name, firstStep: step, a: a, b: b))
  }
}

extension Layer {
  /// What is known of the layer beside its name; `nil`: unknown.
  fileprivate var properties: [(String, String?)] {
    [
      ("module type", moduleType.known), ("activation", activation.known),
      ("normalization", normalization.known), ("residual", isResidual.map { "\($0)" }),
      ("fan in", fanIn.map(String.init)), ("fan out", fanOut.map(String.init)),
    ]
  }
}

extension Tensor {
  /// What is known of the tensor beside its name and layer; `nil`: unknown.
  fileprivate var properties: [(String, String?)] {
    [
      ("role", role == .unspecified ? nil : "\(role)"),
      ("shape", shape.isEmpty ? nil : shape.map(String.init).joined(separator: " x ")),
      ("elements", "\(elementCount)"), ("initialization", initialization.known),
      ("trainable", "\(isTrainable)"),
    ]
  }
}

extension String {
  /// `nil` if it is empty, which says that it is not known.
  fileprivate var known: String? { isEmpty ? nil : self }
}
