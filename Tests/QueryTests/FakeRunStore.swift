import RunStore
import Telemetry

/// One run in memory, as far as a reader of runs needs it; what only writers need is not there.
struct FakeRunStore: RunStore {
  var record: RunRecord?
  var runModel: Model?
  /// Slices of one series, which is given for every metric of ``metrics`` and every index.
  var slices: [SeriesSlice] = []
  /// The metrics that were measured.
  var metrics = Set(Metric.allCases)
  /// The alerts, the newest first.
  var storedAlerts: [Alert] = []
  var histograms: [(step: UInt64, histogram: GradientHistogram)] = []
  var scalars: [StepScalars] = []
  /// Reports whose gradients are given instead of ``slices``; none: those.
  var reports: [StepReport] = []
  /// What every read of telemetry throws, if anything.
  var failure: RunStoreError?

  /// A run `run-1` of one layer and one tensor, with these producers.
  static func run(_ producers: [ProducerRecord]) throws -> FakeRunStore {
    let model = try Model(
      layers: [Layer(name: "hidden")],
      tensors: [Tensor(name: "hidden.weight", layer: 0, role: .weight, elementCount: 8)]
    )
    let record = RunRecord(
      run: RunID(stored: "run-1"),
      project: "tests",
      name: "",
      tags: [],
      hyperparameters: [:],
      framework: "",
      status: .running,
      statusReason: "",
      createdAt: WallTime(clamping: 1),
      finishedAt: nil,
      layerCount: 1,
      tensorCount: 1,
      producers: producers,
      openAlerts: [:]
    )
    return FakeRunStore(record: record, runModel: model)
  }

  /// The same run with one producer `p0`, whose last step is given.
  static func run(lastStep: UInt64? = 1000) throws -> FakeRunStore {
    try run([
      ProducerRecord(producer: Producer(id: ProducerID(stored: "p0")), lastStep: lastStep)
    ])
  }

  // MARK: What a reader asks

  func run(_ run: RunID) throws(RunStoreError) -> RunRecord? { record?.run == run ? record : nil }

  func creation(of run: RunID) throws(RunStoreError) -> WallTime? { try self.run(run)?.createdAt }

  func model(of run: RunID) throws(RunStoreError) -> Model? {
    record?.run == run ? runModel : nil
  }

  func readSeries(
    _ selection: SeriesSelection,
    _ body: (SeriesSlice) -> Bool
  ) throws(RunStoreError) {
    if let failure { throw failure }
    guard metrics.contains(selection.metric) else { return }
    let slices = reports.isEmpty ? slices : [slice(of: selection)]
    for slice in slices {
      var inside = SeriesSlice()
      for (step, value) in zip(slice.steps, slice.values) where selection.steps.contains(step) {
        inside.steps.append(step)
        inside.values.append(value)
      }
      guard inside.steps.isEmpty || body(inside) else { return }
    }
  }

  private func slice(of selection: SeriesSelection) -> SeriesSlice {
    var slice = SeriesSlice()
    for report in reports {
      let gradients = report.gradients
      let values = selection.metric == .gradientMean ? gradients.mean : gradients.norm
      let ids = gradients.tensorIDs
      let place = ids.isEmpty ? Int(selection.index) : ids.firstIndex(of: selection.index)
      guard let place, place < values.count else { continue }
      slice.steps.append(report.step)
      slice.values.append(Double(values[place]))
    }
    return slice
  }

  func readPoints(
    _ selection: PointSelection,
    _ body: (_ index: UInt32, SeriesPart) -> Bool
  ) throws(RunStoreError) {
    for index in selection.indices {
      try readSeries(
        SeriesSelection(
          run: selection.run,
          producer: selection.producer,
          metric: selection.metric,
          index: index,
          steps: selection.steps
        )
      ) { body(index, .measurements($0)) }
    }
  }

  func readHistograms(
    of run: RunID,
    producer: ProducerID,
    tensors: [UInt32],
    steps: ClosedRange<UInt64>,
    maximumSpan: UInt64,
    _ body: (_ tensor: UInt32, HistogramPoint) -> Bool
  ) throws(RunStoreError) {
    if let failure { throw failure }
    for entry in histograms where steps.contains(entry.step) {
      let point = HistogramPoint(step: entry.step, histogram: entry.histogram)
      guard tensors.allSatisfy({ body($0, point) }) else { return }
    }
  }

  func stepCount(of run: RunID, producer: ProducerID) throws(RunStoreError) -> UInt64 {
    if let failure { throw failure }
    return UInt64(scalars.count)
  }

  func firstStep(of run: RunID, producer: ProducerID) throws(RunStoreError) -> UInt64? {
    if let failure { throw failure }
    return nil
  }

  func readScalars(
    of run: RunID,
    producer: ProducerID,
    steps: ClosedRange<UInt64>,
    _ body: (StepScalars) -> Bool
  ) throws(RunStoreError) {
    if let failure { throw failure }
    for entry in scalars where steps.contains(entry.step) {
      guard body(entry) else { return }
    }
  }

  /// Gives two steps a piece.
  func readStepSeries(
    _ selection: StepSeriesSelection,
    _ body: (StepSeriesPiece) -> Bool
  ) throws(RunStoreError) {
    if let failure { throw failure }
    let wanted = scalars.filter { selection.steps.contains($0.step) }
    for start in stride(from: 0, to: wanted.count, by: 2) {
      let steps = wanted[start..<min(start + 2, wanted.count)]
      var piece = StepSeriesPiece(lastStep: 0, rowCount: steps.count, series: [])
      for scalars in steps {
        piece.lastStep = scalars.step
        selection.metric.forEachValue(of: scalars) { name, value in
          let slice = SeriesSlice(steps: [scalars.step], values: [value])
          piece.series.append(.init(name: name, part: .measurements(slice)))
        }
      }
      guard body(piece) else { return }
    }
  }

  func alerts(
    _ filter: AlertFilter,
    page: PageRequest,
    damaged: (RunStoreError) -> Void
  ) throws(RunStoreError) -> Page<Alert> {
    if let failure { throw failure }
    let first = Int(page.after ?? 0)
    let matching = storedAlerts.filter { filter.states.isEmpty || filter.states.contains($0.state) }
    let items = Array(matching.dropFirst(first).prefix(page.size))
    let next = first + items.count
    return Page(items: items, next: next < matching.count ? Int64(next) : nil)
  }

  // MARK: What a reader does not ask

  private static let notAsked = RunStoreError.unavailable(operation: "fake", detail: "not asked")

  func register(
    _ registration: RunRegistration,
    at time: WallTime
  ) throws(RunStoreError) -> RegisteredRun { throw Self.notAsked }

  func commit(_ changes: [RunChange]) throws(RunStoreError) -> [AlertCursor] {
    throw Self.notAsked
  }

  func sealNext(silentBefore time: WallTime?) throws(RunStoreError) -> Bool { throw Self.notAsked }

  func runs(_ filter: RunFilter, page: PageRequest) throws(RunStoreError) -> Page<RunRecord> {
    throw Self.notAsked
  }

  func snapshot(
    of run: RunID,
    producer: ProducerID
  ) throws(RunStoreError) -> DetectorSnapshot? { throw Self.notAsked }

  func readLog(
    of run: RunID,
    producer: ProducerID,
    after sequence: UInt64,
    _ body: (Result<LoggedReport, RunStoreError>) throws(RunStoreError) -> Void
  ) throws(RunStoreError) { throw Self.notAsked }

  func alert(_ id: AlertID) throws(RunStoreError) -> Alert? { throw Self.notAsked }

  func transitions(
    after cursor: AlertCursor,
    limit: Int,
    damaged: (RunStoreError) -> Void
  ) throws(RunStoreError) -> [StoredTransition] { throw Self.notAsked }

  func reports(
    of run: RunID,
    producer: ProducerID,
    from step: UInt64
  ) throws(RunStoreError) -> [LoggedReport] { throw Self.notAsked }

  func annotations(
    _ filter: AnnotationFilter,
    page: PageRequest
  ) throws(RunStoreError) -> Page<StoredAnnotation> { throw Self.notAsked }

  func setRules(_ rules: RuleSet, of target: RuleTarget) throws(RunStoreError) -> Int64 {
    throw Self.notAsked
  }

  func rules(of target: RuleTarget) throws(RunStoreError) -> StoredRules? { throw Self.notAsked }

  func rulesInForce(
    for run: RunID,
    damaged: (RunStoreError) -> Void
  ) throws(RunStoreError) -> StoredRules { throw Self.notAsked }

  func addSilence(_ silence: Silence, at now: WallTime) throws(RunStoreError) {
    throw Self.notAsked
  }

  func removeSilence(_ id: String) throws(RunStoreError) -> Bool { throw Self.notAsked }

  func silences(damaged: (RunStoreError) -> Void) throws(RunStoreError) -> [Silence] {
    throw Self.notAsked
  }

  func deleteRun(_ run: RunID, evenIfRunning: Bool) throws(RunStoreError) -> Bool {
    throw Self.notAsked
  }

  func reclaimNext() throws(RunStoreError) -> Bool { throw Self.notAsked }

  func setRetention(_ retention: Retention?, of project: String?) throws(RunStoreError) {
    throw Self.notAsked
  }

  func retention() throws(RunStoreError) -> RetentionSettings { throw Self.notAsked }

  func projects() throws(RunStoreError) -> [String] { throw Self.notAsked }

  func footprints(of project: String) throws(RunStoreError) -> [RunFootprint] {
    throw Self.notAsked
  }

  func statistics() throws(RunStoreError) -> StoreStatistics { throw Self.notAsked }

  func checkpoint() throws(RunStoreError) { throw Self.notAsked }

  func lastCursor() throws(RunStoreError) -> AlertCursor { throw Self.notAsked }

  func close() throws(RunStoreError) {}
}
