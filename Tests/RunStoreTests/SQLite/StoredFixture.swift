import RunStore
import Telemetry

/// What is in `Fixtures/version-N.database`.
///
/// It never changes, because the files don't: what a version adds is a condition on ``version``.
struct StoredFixture {
  /// The newest version of which there is a file.
  static let newest = 7

  /// The version of the database.
  let version: Int

  /// The run of which reports are sealed and in the log, of two producers.
  let run = RunID(stored: "r1")
  /// A run that has no report.
  let empty = RunID(stored: "empty")

  /// A report with every column and both kinds of histograms, and every NaN and infinity kept.
  func report(_ sequence: UInt64, step: UInt64) -> StepReport {
    let value = Float(sequence)
    var scalars = StepScalars(step: step, wallTime: Samples.time(1e9 + Double(sequence) / 4))
    scalars.losses = [
      NamedLoss(name: "loss", value: sequence % 5 == 0 ? .nan : 1 / Double(sequence)),
      NamedLoss(name: "auxiliary ü", value: -.infinity),
    ]
    scalars.learningRate = 0.1
    scalars.globalNorm = Double(value) * 3
    scalars.clipping = Clipping(kind: .value, threshold: 1.5, clipped: sequence % 2 == 0)
    scalars.lossScale = 1024
    scalars.batchSize = 32
    scalars.phase = .main
    scalars.droppedSteps = sequence % 3
    if version >= 3, sequence % 4 == 0 {
      scalars.annotations = [
        StepAnnotation(
          action: "lower_rate",
          detail: "to \(sequence)",
          alert: AlertID("0123456789abcdef")
        )
      ]
    }
    var report = StepReport(sequence: sequence, scalars: scalars)
    report.gradients.norm = [value, .infinity, 0.25]
    report.gradients.mean = [-0.0, value, .nan]
    report.gradients.meanAbs = [1, 2, value]
    report.gradients.std = [0.5, 0.5, 0.5]
    report.gradients.min = [-value, -1, 0]
    report.gradients.max = [value, 1, 0]
    report.gradients.zeroCount = [0, sequence, 2]
    report.gradients.nanCount = [0, 0, 1]
    report.gradients.positiveInfinityCount = [0, 1, 0]
    report.gradients.negativeInfinityCount = [0, 0, 0]
    // Of some tensors only, in another order.
    report.parameters.tensorIDs = [2, 0]
    report.parameters.norm = [value, 2]
    report.parameters.updateNorm = [0.01, 0.02]
    report.activations.mean = [value, 1]
    report.activations.std = [1, 1]
    report.activations.zeroFraction = [0.5, 0]
    report.activations.saturatedFraction = [0, .nan]
    report.activations.deadUnitFraction = [0, 0.125]
    var exponential = ExponentialHistogramColumn()
    exponential.scale = 1
    exponential.tensorIDs = [0, 2]
    for offset in [-3, 4] as [Int32] {
      exponential.append(
        ExponentialHistogram(
          scale: 1,
          zeroCount: sequence,
          positive: .init(offset: offset, counts: [1, 0, sequence * 1000]),
          negative: .init(offset: -offset, counts: [2])
        )
      )
    }
    report.histograms = exponential
    if sequence % 2 == 0 {
      var explicit = ExplicitHistogramColumn()
      explicit.bounds = [-1, 0, 1e300]
      explicit.tensorIDs = [1]
      explicit.counts = [1, 2, 3, sequence]
      report.explicitHistograms = explicit
    }
    report.timeStepNorms = [TimeStepNorms(layer: 1, positions: [0, 5], norms: [value, .nan])]
    return report
  }

  /// The accepted reports of a producer, with where it went back.
  func accepted(_ producer: String) -> [(report: StepReport, rewinds: Bool)] {
    switch producer {
    // Sealed up to report 9; report 11 goes back into the segment.
    case "p0":
      (1...9).map { (report($0, step: $0 + 100), false) } + [
        (report(10, step: 110), false), (report(11, step: 108), true),
        (report(12, step: 109), false),
      ]
    default: [(report(1, step: 0), false), (report(2, step: 7), false)]
    }
  }

  /// When a report arrived.
  func time(_ sequence: UInt64) -> WallTime { Samples.time(2e9 + Double(sequence) / 8) }

  /// What readers must find of a producer.
  func reference(_ producer: String) -> Reference {
    var reference = Reference()
    for (report, rewinds) in accepted(producer) {
      reference.accept(report, receivedAt: time(report.sequence), rewinds: rewinds)
    }
    return reference
  }

  /// The alert, as it is last.
  var alert: Alert { Samples.alert(state: .resolved) }
  /// Its transitions.
  var transitions: [AlertTransition] {
    [
      Samples.transition(Samples.alert()), Samples.transition(alert, from: .firing, step: 12),
    ]
  }

  /// What was set for the project, from version 2 on.
  var rules: RuleSet { RuleSet([RuleSettings(RuleID("loss_plateau"))]) }

  /// Writes all of it, with the functions of this version of the store.
  func fill(_ store: some RunStore) throws {
    let model = try Samples.model(layers: 2, tensors: 3)
    for producer in ["p0", "p1"] {
      _ = try store.register(
        Samples.registration(producer: producer, model: model),
        at: Samples.time(1)
      )
    }
    _ = try store.register(
      Samples.registration(run: empty.rawValue, project: "another", model: model),
      at: Samples.time(2)
    )
    func changes(_ producer: String, _ sequences: ClosedRange<UInt64>) -> [RunChange] {
      accepted(producer).filter { sequences.contains($0.report.sequence) }.map { entry in
        .report(
          RunChange.AcceptedReport(
            run: run,
            producer: ProducerID(stored: producer),
            report: entry.report,
            receivedAt: time(entry.report.sequence),
            rewinds: entry.rewinds
          )
        )
      }
    }
    _ = try store.commit(
      changes("p0", 1...9) + changes("p1", 1...2) + [
        .snapshot(run: run, producer: ProducerID(stored: "p0"), sequence: 9, state: [7, 8, 9]),
        .transitions(transitions),
        .finish(run: run, status: .failed, reason: "out of memory", at: Samples.time(3e9)),
      ]
    )
    while try store.sealNext() {}
    _ = try store.commit(changes("p0", 10...12))
    _ = try store.setRules(rules, of: .project("project"))
    if version >= 4 { try store.setRetention(Retention(maximumRuns: 5), of: "another") }
  }
}
