extension Experiment {
  /// The settings that ``set(_:to:)`` takes, with what they expect.
  public static let settings: [(key: String, expectation: String)] = [
    ("learning-rate", "a number above 0"),
    ("optimizer", "sgd, rmsprop, adam or adamw"),
    ("batch-size", "a whole number, at most the samples"),
    ("epochs", "a whole number from 1"),
    ("accumulation", "a whole number from 1"),
    ("clip-norm", "a number above 0, or none"),
    ("clip-value", "a number above 0, or none"),
    ("warm-up", "a whole number of steps from 0"),
    (
      "activation",
      "one of \(Activation.allCases.map(\.rawValue).joined(separator: ", ")), for all hidden layers"
    ),
    ("normalization", "none, batch_norm or layer_norm, for all hidden layers"),
    (
      "initializer",
      "glorot_uniform, glorot_normal, he_uniform, he_normal or lecun_normal, for all hidden layers"
    ),
    ("seed", "a whole number from 0"),
  ]

  /// Changes one setting, named as on a command line.
  ///
  /// - Throws: ``TrainingError`` if there is no such key, or the value is not what it expects; the caller asks again. Whether settings
  ///   fit together is found when a ``Trainer`` is made.
  public mutating func set(_ key: String, to text: String) throws(TrainingError) {
    guard let setting = Self.settings.first(where: { $0.key == key }) else {
      throw .setting(
        "setting",
        expected: "one of \(Self.settings.map(\.key).joined(separator: ", "))",
        found: key
      )
    }
    let isKnown: Bool
    switch key {
    case "learning-rate":
      isKnown = Self.take(Self.positive(text)) { updateRule = updateRule.withLearningRate($0) }
    case "optimizer":
      let rate = updateRule.learningRate
      let rule: UpdateRule? =
        switch text {
        case "sgd": .sgd(learningRate: rate)
        case "rmsprop": .rmsprop(learningRate: rate)
        case "adam": .adam(learningRate: rate)
        case "adamw": .adam(learningRate: rate, weightDecay: 0.01)
        default: nil
        }
      isKnown = Self.take(rule) { updateRule = $0 }
    case "batch-size": isKnown = Self.take(Self.count(text)) { batchSize = $0 }
    case "epochs": isKnown = Self.take(Self.count(text)) { epochs = $0 }
    case "accumulation": isKnown = Self.take(Self.count(text)) { accumulation = $0 }
    case "clip-norm":
      isKnown = text == "none" || Self.positive(text) != nil
      clipping = Self.positive(text).map { .norm($0) }
    case "clip-value":
      isKnown = text == "none" || Self.positive(text) != nil
      clipping = Self.positive(text).map { .value($0) }
    case "warm-up":
      isKnown = Self.take(Int(text).flatMap { $0 >= 0 ? $0 : nil }) {
        schedule = $0 == 0 ? .constant : .warmUp(steps: $0)
      }
    case "activation":
      isKnown = Self.take(Activation(rawValue: text)) { changeHiddenLayers(activation: $0) }
    case "normalization":
      let normalization: Normalization? =
        switch text {
        case "none": Normalization.none
        case "batch_norm": .batch
        case "layer_norm": .layer
        default: nil
        }
      isKnown = Self.take(normalization) { changeHiddenLayers(normalization: $0) }
    case "initializer":
      let initializers: [Initializer] = [
        .glorotUniform, .glorotNormal, .heUniform, .heNormal, .leCunNormal,
      ]
      isKnown = Self.take(initializers.first { $0.name == text }) {
        changeHiddenLayers(initializer: $0)
      }
    default: isKnown = Self.take(UInt64(text)) { seed = $0 }
    }
    guard isKnown else { throw .setting(key, expected: setting.expectation, found: text) }
  }

  private static func take<Value>(_ value: Value?, _ use: (Value) -> Void) -> Bool {
    guard let value else { return false }
    use(value)
    return true
  }

  private static func positive(_ text: String) -> Double? {
    Double(text).flatMap { $0 > 0 && $0.isFinite ? $0 : nil }
  }

  private static func count(_ text: String) -> Int? { Int(text).flatMap { $0 > 0 ? $0 : nil } }

  /// Changes every layer with an activation but the last one.
  private mutating func changeHiddenLayers(
    activation: Activation? = nil,
    normalization: Normalization? = nil,
    initializer: Initializer? = nil
  ) {
    func change(_ layer: LayerPlan) -> LayerPlan {
      switch layer {
      case .dense(let units, let old, let first, let norm):
        .dense(units, activation ?? old, initializer ?? first, normalization: normalization ?? norm)
      case .convolution1D(let filters, let size, let stride, let old, let first, let norm):
        .convolution1D(
          filters,
          size: size,
          stride: stride,
          activation ?? old,
          initializer ?? first,
          normalization: normalization ?? norm
        )
      case .convolution2D(let filters, let size, let stride, let old, let first, let norm):
        .convolution2D(
          filters,
          size: size,
          stride: stride,
          activation ?? old,
          initializer ?? first,
          normalization: normalization ?? norm
        )
      case .residual(let body, let after): .residual(body.map(change), after)
      case .block(let body): .block(body.map(change))
      default: layer
      }
    }
    layers = layers.dropLast().map(change) + layers.suffix(1)
  }
}
