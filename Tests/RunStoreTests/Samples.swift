import RunStore
import Telemetry
import TelemetryTesting

/// Values that tests store and expect back.
enum Samples {
  /// Floats that a careless copy would change.
  static let oddFloats = StepReport.oddFloats
  /// Doubles that a careless copy would change.
  static let oddDoubles = StepReport.oddDoubles
  /// Counts at the edges of every stored width.
  static let oddCounts = StepReport.oddCounts

  /// A moment.
  static func time(_ seconds: Double) -> WallTime { WallTime(clamping: seconds) }

  /// A model of some layers, each with as many tensors as its share.
  static func model(layers: Int = 3, tensors: Int = 5) throws -> Model {
    try Model(
      layers: (0..<layers).map { Layer(name: "layer\($0)", moduleType: "Linear", fanIn: 4) },
      tensors: (0..<tensors).map { index in
        Tensor(
          name: "layer\(index % layers).tensor\(index)",
          layer: UInt32(index % layers),
          role: .weight,
          shape: [2, 3],
          elementCount: 6
        )
      }
    )
  }

  /// A registration.
  static func registration(
    run: String = "r1",
    producer: String = "p0",
    project: String = "project",
    model: Model? = nil
  ) throws -> RunRegistration {
    try RunRegistration(
      run: RunID(run),
      project: project,
      name: "name of \(run)",
      tags: ["b", "a"],
      hyperparameters: ["lr": "0.1", "": "empty key"].filter { !$0.key.isEmpty },
      framework: "torch 2.13.0",
      producer: Producer(id: ProducerID(producer), rank: 0, worldSize: 2),
      model: model ?? self.model()
    )
  }

  /// A report of which only scalars are known.
  static func plain(_ sequence: UInt64, step: UInt64, loss: Double = 1) -> StepReport {
    var scalars = StepScalars(step: step, wallTime: time(1e9 + Double(sequence)))
    scalars.losses = [NamedLoss(name: "loss", value: loss)]
    var report = StepReport(sequence: sequence, scalars: scalars)
    report.gradients.norm = [Float(step), Float(step) + 0.25]
    return report
  }

  /// A report in which anything may be measured or not, drawn at random.
  static func random(
    _ sequence: UInt64,
    step: UInt64,
    layers: Int = 3,
    tensors: Int = 5,
    using random: inout SeededGenerator
  ) -> StepReport {
    .random(sequence, step: step, layers: layers, tensors: tensors, using: &random)
  }

  /// Annotations that differ, the first with an alert.
  static func annotations(_ count: Int) -> [StepAnnotation] { StepReport.annotations(count) }

  /// An alert with all members set.
  static func alert(
    run: String = "r1",
    producer: String = "p0",
    rule: String = "exploding_gradient",
    severity: Severity = .warning,
    state: AlertState = .firing,
    firstStep: UInt64 = 7,
    scope: AlertScope = .layers(1...2)
  ) -> Alert {
    var evidence = Evidence(
      quantity: "gradient norm",
      observed: 12.5,
      baseline: -0.0,
      threshold: .infinity,
      firstStep: 7,
      lastStep: 9
    )
    evidence.recent = [
      Evidence.Point(step: 8, value: 1), Evidence.Point(step: 9, value: .infinity),
    ]
    evidence.layers = ["layer1", "Schicht ß"]
    evidence.tensors = ["layer1.tensor1"]
    evidence.facts = ["nan": "3", "infinity": "4"]
    var alert = Alert(
      run: RunID(stored: run),
      producer: ProducerID(stored: producer),
      rule: RuleID(rule),
      severity: severity,
      scope: scope,
      summary: "summary",
      cause: "cause",
      confidence: 0.75,
      evidence: evidence,
      remedies: [Remedy(action: "lower the rate", reason: "it is high")],
      firstStep: firstStep,
      startedAt: time(100.5)
    )
    alert.state = state
    alert.firedStep = 9
    alert.firedAt = time(101)
    alert.acknowledgedAt = time(102)
    alert.acknowledgedBy = "somebody"
    alert.resolvedStep = 12
    alert.resolvedAt = time(103.25)
    alert.reopenedCount = 2
    return alert
  }

  /// A transition to the state that an alert is in.
  static func transition(
    _ alert: Alert,
    from: AlertState? = nil,
    step: UInt64 = 9
  ) -> AlertTransition {
    AlertTransition(alert: alert, from: from, step: step, at: time(101.5))
  }
}
