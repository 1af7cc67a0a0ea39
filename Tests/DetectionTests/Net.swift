import Detection
import Telemetry

/// A plain network for tests: dense layers with a weight of 32 x 32 and a bias each.
struct Net {
  let model: Model
  let depth: Int

  /// Makes layers `dense_0` to `dense_{depth-1}`.
  init(depth: Int, activation: String = "relu", role: TensorRole = .weight) throws {
    self.depth = depth
    model = try Model(
      layers: (0..<depth).map { Layer(name: "dense_\($0)", activation: activation, fanIn: 32) },
      tensors: (0..<depth).flatMap { layer in
        [
          Tensor(
            name: "dense_\(layer).weight",
            layer: UInt32(layer),
            role: role,
            shape: [32, 32],
            elementCount: 1024
          ),
          Tensor(
            name: "dense_\(layer).bias",
            layer: UInt32(layer),
            role: .bias,
            shape: [32],
            elementCount: 32
          ),
        ]
      }
    )
  }

  /// A report in which weight and bias of layer l have gradients of norm `gradient(l)`.
  ///
  /// Weights have the norm 8, which is He's, and move by 0.008. The global norm is the true one.
  func report(
    _ step: UInt64,
    loss: Double? = 1,
    weightNorm: Float? = 8,
    update: Float? = 0.008,
    gradient: (Int) -> Float = { _ in 0.1 }
  ) -> StepReport {
    var scalars = StepScalars(step: step, wallTime: WallTime(clamping: 0))
    if let loss { scalars.losses = [NamedLoss(name: "loss", value: loss)] }
    var report = StepReport(sequence: step + 1, scalars: scalars)
    let norms = (0..<depth).flatMap { [gradient($0), gradient($0)] }
    report.gradients.norm = norms
    report.scalars.globalNorm = norms.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    if let weightNorm {
      report.parameters.norm = (0..<depth).flatMap { _ in [weightNorm, 1] }
    }
    if let update { report.parameters.updateNorm = (0..<depth).flatMap { _ in [update, update] } }
    return report
  }
}

/// Feeds a detector and keeps what it said.
///
/// Report n arrives n seconds after the first.
struct Watch {
  var detector: Detector
  private(set) var log: [AlertTransition] = []

  init(_ model: Model) throws {
    detector = Detector(run: try RunID("run"), producer: try ProducerID("rank-0"), model: model)
  }

  /// Feeds steps of a net, by default of two layers, whose losses are given; `change` may change a
  /// report before it is fed.
  init(
    _ net: Net? = nil,
    steps: Int,
    change: (Int, inout StepReport) -> Void = { _, _ in },
    loss: (Int) -> Double
  ) throws {
    let net = try net ?? Net(depth: 2)
    try self.init(net.model)
    for step in 0..<steps {
      var report = net.report(UInt64(step), loss: loss(step))
      change(step, &report)
      feed(report)
    }
  }

  /// The time at which the report of `step` arrives.
  static func time(_ step: UInt64) -> WallTime { WallTime(clamping: 1_000_000 + Double(step)) }

  @discardableResult
  mutating func feed(_ report: StepReport) -> [AlertTransition] {
    note(detector.observe(report, receivedAt: Self.time(report.step)))
  }

  @discardableResult
  mutating func note(_ changes: [AlertTransition]) -> [AlertTransition] {
    log += changes
    return changes
  }

  /// What happened to alerts of a rule, as `state severity @step`.
  func life(_ rule: String) -> [String] {
    log.filter { $0.alert.rule == RuleID(rule) }.map {
      "\($0.alert.state) \($0.alert.severity) @\($0.step)"
    }
  }

  /// The open alert of a rule.
  func open(_ rule: String) -> Alert? {
    detector.openAlerts.first { $0.rule == RuleID(rule) }
  }
}

/// Reproducible noise, from its seed: SplitMix64.
struct Noise {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    return word ^ (word >> 31)
  }

  /// From 0 up to 1.
  mutating func fraction() -> Double { Double(next() >> 11) / Double(1 << 53) }

  /// From 1/spread to spread.
  mutating func factor(_ spread: Double) -> Double {
    1 / spread + fraction() * (spread - 1 / spread)
  }
}

/// `base` to a whole power, for profiles over layers.
func power(_ base: Float, _ exponent: Int) -> Float {
  (0..<exponent).reduce(1) { product, _ in product * base }
}
