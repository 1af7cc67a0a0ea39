import Query
import RunStore
import Telemetry

/// Two runs, `a` and `b`, of three layers with a weight and a bias each, in memory.
struct ComparedRuns {
  /// One of them.
  struct Run {
    var reports: [StepReport] = []
    var model: Model
    var hyperparameters: [String: String] = [:]
    var alerts: [Alert] = []
  }

  var a: Run
  var b: Run

  /// Two runs that are the same, of so many steps.
  init(steps: Int) throws {
    let run = Run(reports: (0..<steps).map { Self.report(UInt64($0)) }, model: try Self.model())
    (a, b) = (run, run)
  }

  static func model(_ names: [String] = ["in", "hidden", "out"]) throws -> Model {
    try Model(
      layers: names.map { Layer(name: $0, moduleType: "Linear", activation: "relu") },
      tensors: names.enumerated().flatMap { layer, name in
        [
          Tensor(
            name: "\(name).weight",
            layer: UInt32(layer),
            role: .weight,
            shape: [3, 4],
            elementCount: 12
          ),
          Tensor(name: "\(name).bias", layer: UInt32(layer), role: .bias, elementCount: 3),
        ]
      }
    )
  }

  /// A step of which every gradient's norm is known.
  static func report(_ step: UInt64, scale: Float = 1) -> StepReport {
    var scalars = StepScalars(step: step, wallTime: WallTime(clamping: 1e9 + Double(step)))
    scalars.losses = [NamedLoss(name: "loss", value: 2 / (1 + Double(step)))]
    scalars.learningRate = 0.1
    var report = StepReport(sequence: step + 1, scalars: scalars)
    report.gradients.norm = (0..<6).map { Float($0 + 1) * scale }
    report.gradients.mean = (0..<6).map { Float($0 + 1) }
    return report
  }

  /// Compares them.
  func compare(
    _ edit: (inout ComparisonOptions) -> Void = { _ in }
  ) throws -> (run: RunComparison, layers: [LayerComparison]) {
    var options = ComparisonOptions()
    edit(&options)
    let readerA = try RunReader(run: RunID(stored: "a"), store: try store("a", a))
    let readerB = try RunReader(run: RunID(stored: "b"), store: try store("b", b))
    var comparer = try RunComparer(a: readerA, b: readerB, options: options)
    while try comparer.advance() {}
    let (run, layers) = try comparer.finish()
    return (run, layers)
  }

  private func store(_ id: String, _ run: Run) throws -> FakeRunStore {
    var store = try FakeRunStore.run([
      ProducerRecord(
        producer: Producer(id: ProducerID(stored: "p0")),
        lastStep: run.reports.last?.step
      )
    ])
    store.record?.run = RunID(stored: id)
    store.record?.hyperparameters = run.hyperparameters
    store.runModel = run.model
    store.storedAlerts = run.alerts
    store.scalars = run.reports.map(\.scalars)
    store.reports = run.reports
    return store
  }
}
