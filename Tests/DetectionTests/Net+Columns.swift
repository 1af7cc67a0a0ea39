import Detection
import Telemetry

extension Net {
  /// A column with a value for each weight and another for each bias.
  func column(weights: (Int) -> Float, biases: Float) -> [Float] {
    (0..<depth).flatMap { [weights($0), biases] }
  }

  /// Histograms of all tensors: `counts` elements from bucket `offset` up, half of them negative.
  func histograms(
    zeros: UInt64 = 0,
    offset: Int32,
    counts: [UInt64],
    tensors: Range<Int>? = nil
  ) -> ExponentialHistogramColumn {
    var column = ExponentialHistogramColumn()
    let range = tensors ?? 0..<2 * depth
    if tensors != nil { column.tensorIDs = range.map { UInt32($0) } }
    for _ in range {
      column.append(
        ExponentialHistogram(
          zeroCount: zeros,
          positive: .init(offset: offset, counts: counts.map { $0 - $0 / 2 }),
          negative: .init(offset: offset, counts: counts.map { $0 / 2 })
        )
      )
    }
    return column
  }

  /// Dense layers named `blocks.0.a`, `blocks.0.b`, … with `width` layers a block.
  static func blocks(_ count: Int, width: Int) throws -> Model {
    let letters = ["a", "b", "c", "d"]
    return try Model(
      layers: (0..<count * width).map {
        Layer(name: "blocks.\($0 / width).\(letters[$0 % width])", activation: "relu", fanIn: 32)
      },
      tensors: (0..<count * width).map {
        Tensor(
          name: "blocks.\($0 / width).\(letters[$0 % width]).weight",
          layer: UInt32($0),
          role: .weight,
          shape: [32, 32],
          elementCount: 1024
        )
      }
    )
  }
}

extension StepReport {
  /// An empty report of a step.
  init(step: UInt64, loss: Double? = 1) {
    self.init(
      sequence: step + 1,
      scalars: StepScalars(step: step, wallTime: WallTime(clamping: 0))
    )
    if let loss { scalars.losses = [NamedLoss(name: "loss", value: loss)] }
  }

  /// Sets the clipping of a step whose gradient has the norm `norm`.
  mutating func clip(
    _ kind: Clipping.Kind = .globalNorm,
    at threshold: Double,
    norm: Double,
    clipped: Bool? = nil
  ) {
    scalars.globalNorm = norm
    scalars.clipping = Clipping(
      kind: kind,
      threshold: threshold,
      clipped: clipped ?? (norm > threshold)
    )
  }
}

extension Detector {
  /// A threshold that nobody changed, as a number of reports or whatever it counts.
  static func standard(_ rule: String, _ name: String) -> Double? {
    catalogue.first { $0.id == RuleID(rule) }?.thresholds.first { $0.name == name }?.standard
  }
}

extension Watch {
  /// Watches with a user's rules.
  init(_ model: Model, rules: RuleSet) throws {
    try self.init(model)
    detector = Detector(
      run: try RunID("run"),
      producer: try ProducerID("rank-0"),
      model: model,
      rules: rules
    )
  }

  /// The alerts of a rule at the transitions to `state`, in their order.
  func alerts(_ rule: String, _ state: AlertState = .firing) -> [Alert] {
    log.filter { $0.alert.rule == RuleID(rule) && $0.alert.state == state }.map(\.alert)
  }

  /// The rules that fired as a warning or worse, each once.
  var warned: Set<String> {
    Set(
      log.filter { $0.alert.state == .firing && $0.alert.severity >= .warning }
        .map(\.alert.rule.rawValue)
    )
  }
}
