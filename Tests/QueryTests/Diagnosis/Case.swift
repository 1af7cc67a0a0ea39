import Query
import Telemetry

/// A history for tests: a net of eight layers, and alerts of it.
struct Case {
  var history: CaseHistory

  /// A run that has finished and sent every column, without alerts.
  init(
    steps: UInt64 = 300,
    hyperparameters: [String: String] = [:],
    activation: String = "relu"
  ) throws {
    let model = try Model(
      layers: (0..<8).map {
        Layer(name: "fc\($0)", moduleType: "Linear", activation: activation)
      },
      tensors: (0..<8).map {
        Tensor(name: "fc\($0).weight", layer: $0, role: .weight, elementCount: 16)
      }
    )
    history = CaseHistory(run: RunID(stored: "r"), status: .finished, model: model)
    history.hyperparameters = hyperparameters
    history.rules = Self.rules.map(RuleID.init)
    history.stepCount = steps
    history.lastStep = steps - 1
    history.producers = [Producer(id: Self.producer)]
    history.columns = [Self.producer: Set(ReportColumn.allCases)]
  }

  static let producer = ProducerID(stored: "p0")

  /// The identifiers at the top of the rules' page.
  static let rules = [
    "vanishing_gradient", "uniformly_small_gradient", "exploding_gradient", "non_finite_gradient",
    "gradient_spike", "dead_relu", "saturated_activation", "poor_initialization",
    "non_finite_loss", "gradient_long_tail", "gradient_underflow", "rank_divergence", "loss_spike",
    "loss_divergence", "loss_plateau", "loss_oscillation", "stalled_run", "clipping_every_step",
    "update_ratio_too_high", "update_ratio_too_low", "unchanged_weights", "weight_jump",
    "gradient_noise", "rnn_vanishing_through_time", "rnn_exploding_through_time",
  ]

  /// Adds an alert that fired.
  ///
  /// - Parameters:
  ///   - rule: The rule.
  ///   - step: The first step; it fires two steps later.
  ///   - severity: The severity.
  ///   - resolved: Where it was resolved; open if `nil`.
  ///   - layers: The layers; the run as a whole if `nil`.
  ///   - producer: Who showed it.
  ///   - remedies: Actions.
  mutating func add(
    _ rule: String,
    at step: UInt64,
    _ severity: Severity = .critical,
    resolved: UInt64? = nil,
    layers: ClosedRange<UInt32>? = nil,
    producer: ProducerID = producer,
    remedies: [String] = []
  ) {
    var alert = Alert(
      run: history.run,
      producer: producer,
      rule: RuleID(rule),
      severity: severity,
      scope: layers.map { .layers($0) } ?? .run,
      summary: "\(rule) at step \(step)",
      cause: "because",
      confidence: 0.9,
      evidence: Evidence(
        quantity: "q",
        observed: 1,
        firstStep: step,
        lastStep: step,
        layers: layers?.map { "fc\($0)" } ?? []
      ),
      remedies: remedies.map { Remedy(action: $0, reason: "reason") },
      firstStep: step,
      startedAt: WallTime(clamping: 1)
    )
    alert.firedStep = step + 2
    alert.state = resolved == nil ? .firing : .resolved
    alert.resolvedStep = resolved
    history.alerts.append(alert)
  }

  /// The story.
  var diagnosis: Diagnosis { Diagnosis(of: history) }

  /// The trees as text: a rule, and in brackets what follows from it.
  var trees: [String] { diagnosis.roots.map { Self.text($0.finding) } }

  private static func text(_ finding: Finding) -> String {
    guard !finding.consequences.isEmpty else { return finding.rule.rawValue }
    let below = finding.consequences.map(text).joined(separator: ", ")
    return "\(finding.rule.rawValue) [\(below)]"
  }
}
