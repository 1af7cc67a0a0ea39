import Telemetry

/// What is known of the layers that an alert speaks of, for choosing causes and remedies.
struct Setting: Sendable {
  /// Whether sigmoid or tanh follows most of them.
  let isSaturating: Bool
  /// Whether an activation of the ReLU family follows most of them.
  let isRectified: Bool
  /// Whether one of them is recurrent.
  let isRecurrent: Bool
  /// Whether one of them has the gates of an LSTM or GRU.
  let isGated: Bool
  /// The bound on the global norm that the run clips at; `nil` if it does not, or clips otherwise.
  let clippingThreshold: Double?
  /// Whether the model has attention.
  let isTransformer: Bool
  /// Whether one of them is a convolution.
  let isConvolutional: Bool
  /// Whether normalization is known to be missing, or known to be there; `nil` if unknown.
  let isNormalized: Bool?
  /// Whether skip connections are known to be missing, or known to be there; `nil` if unknown.
  let isResidual: Bool?
  /// The number of weight layers of the model.
  let depth: Int
  /// The mean square of the first weights divided by the recommended one, the geometric mean over
  /// the layers; `nil` if parameter norms or fan-ins are unknown.
  let initialScale: Double?
  /// The activation that follows most of them; empty if unknown.
  let activation: String

  /// Looks at the layers in `range`; all of them if `nil`.
  init(_ step: StepContext, layers range: ClosedRange<UInt32>? = nil) {
    let anatomy = step.anatomy
    let model = anatomy.model
    let weights = anatomy.weights.filter { tensor in
      range?.contains(model.tensors[tensor].layer) ?? true
    }
    let slots = Set(weights.map { Int(model.tensors[$0].layer) })
    let layers = slots.sorted().map { model.layers[$0] }
    let names = layers.map { $0.activation.lowercased() }.filter { !$0.isEmpty && $0 != "none" }
    let counts = Dictionary(grouping: names) { $0 }.mapValues(\.count)
    // Ties break by name, so that a replay says the same.
    let activation = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? ""
    self.activation = activation
    isSaturating = ["sigmoid", "tanh", "softsign"].contains { activation.contains($0) }
    isRectified = Self.isRectifier(activation)
    isRecurrent = weights.contains { model.tensors[$0].role == .recurrent }
    isGated = layers.contains { layer in
      let type = layer.moduleType.lowercased()
      return type.contains("lstm") || type.contains("gru")
    }
    let clipping = step.report.scalars.clipping
    clippingThreshold = clipping?.kind == .globalNorm ? clipping?.threshold : nil
    isTransformer = model.layers.contains { layer in
      let text = layer.moduleType.lowercased() + " " + layer.name.lowercased()
      return text.contains("attention") || text.contains("attn") || text.contains("transformer")
    }
    isConvolutional = layers.contains { $0.moduleType.lowercased().contains("conv") }
    let hasNormRole = model.tensors.contains { $0.role == .norm }
    let normalizations = layers.map(\.normalization).filter { !$0.isEmpty }
    if hasNormRole || normalizations.contains(where: { $0 != "none" }) {
      isNormalized = true
    } else {
      isNormalized = normalizations.count == layers.count && !layers.isEmpty ? false : nil
    }
    let residuals = layers.compactMap(\.isResidual)
    isResidual = residuals.contains(true) ? true : residuals.isEmpty ? nil : false
    depth = anatomy.weightLayers.count
    initialScale = Self.initialScale(of: weights, step, isRectified: isRectified)
  }

  /// Whether the activation passes about half of what comes, as ReLU does.
  static func isRectifier(_ activation: String) -> Bool {
    let name = activation.lowercased()
    return ["relu", "gelu", "silu", "swish", "elu"].contains { name.contains($0) }
  }

  /// He's mean square for rectifiers is 2/fan-in (arXiv 1502.01852), LeCun's for the others
  /// 1/fan-in.
  private static func initialScale(
    of weights: [Int],
    _ step: StepContext,
    isRectified: Bool
  ) -> Double? {
    var sum = 0.0
    var count = 0.0
    for tensor in weights {
      let norm = Double(step.history.initialParameterNorms[tensor])
      guard norm > 0, let fanIn = step.anatomy.fanIn(ofTensor: tensor) else { continue }
      let elements = Double(step.anatomy.model.tensors[tensor].elementCount)
      sum += naturalLog(norm * norm / elements * fanIn / (isRectified ? 2 : 1))
      count += 1
    }
    return count > 0 ? exponential(sum / count) : nil
  }

  /// Whether the first weights were far too large: past 16 times the recommended mean square, or a
  /// million times over all layers.
  var isInitializedLarge: Bool {
    (initialScale.map { $0 > 16 } ?? false) || compoundScale > 1e6
  }
  /// Whether the first weights were far too small, by the inverse bounds.
  ///
  /// A transformer's are small by design; its residual stream carries the signal.
  var isInitializedSmall: Bool {
    !isTransformer && ((initialScale.map { $0 < 1 / 16 } ?? false) || compoundScale < 1e-6)
  }
  /// ``initialScale`` over all layers; 1 where normalization or skip connections reset it.
  private var compoundScale: Double {
    guard isNormalized != true, isResidual != true, let initialScale else { return 1 }
    return power(initialScale, Double(depth))
  }
  /// The recommended scheme for this activation.
  var scheme: String { isSaturating ? "Xavier (Glorot)" : "Kaiming (He)" }
}
