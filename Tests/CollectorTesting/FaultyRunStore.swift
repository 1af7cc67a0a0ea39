public import RunStore
import Synchronization
public import Telemetry

/// A store whose commits fail while a test wants them to, and some of whose calls it may hold; everything else is passed on.
public final class FaultyRunStore: RunStore {
  /// A call that a test may hold.
  public enum Call: Sendable { case runs, snapshot, sealNext }

  private let store: any RunStore
  private let hold = Mutex<(@Sendable (Call) -> Void)?>(nil)
  private let state = Mutex((failure: RunStoreError?.none, commits: [Int]()))

  /// Wraps a store.
  public init(_ store: any RunStore) { self.store = store }

  /// What commits fail with; `nil`: they succeed.
  public var failure: RunStoreError? {
    get { state.withLock { $0.failure } }
    set { state.withLock { $0.failure = newValue } }
  }

  /// Is called on the thread of a call before it is passed on, and may block it.
  public var onCall: (@Sendable (Call) -> Void)? {
    get { hold.withLock { $0 } }
    set { hold.withLock { $0 = newValue } }
  }

  /// The number of changes of each commit that succeeded.
  public var commits: [Int] { state.withLock { $0.commits } }

  /// Fails or passes on.
  public func commit(_ changes: [RunChange]) throws(RunStoreError) -> [AlertCursor] {
    if let failure { throw failure }
    let cursors = try store.commit(changes)
    state.withLock { $0.commits.append(changes.count) }
    return cursors
  }

  /// Passes on.
  public func register(
    _ registration: RunRegistration,
    at time: WallTime
  ) throws(RunStoreError) -> RegisteredRun { try store.register(registration, at: time) }

  /// Passes on.
  public func sealNext(silentBefore time: WallTime?) throws(RunStoreError) -> Bool {
    onCall?(.sealNext)
    return try store.sealNext(silentBefore: time)
  }

  /// Passes on.
  public func run(_ run: RunID) throws(RunStoreError) -> RunRecord? { try store.run(run) }

  /// Passes on.
  public func creation(of run: RunID) throws(RunStoreError) -> WallTime? {
    try store.creation(of: run)
  }

  /// Passes on.
  public func runs(
    _ filter: RunFilter,
    page: PageRequest
  ) throws(RunStoreError) -> Page<RunRecord> {
    onCall?(.runs)
    return try store.runs(filter, page: page)
  }

  /// Passes on.
  public func model(of run: RunID) throws(RunStoreError) -> Model? { try store.model(of: run) }

  /// Passes on.
  public func snapshot(
    of run: RunID,
    producer: ProducerID
  ) throws(RunStoreError) -> DetectorSnapshot? {
    onCall?(.snapshot)
    return try store.snapshot(of: run, producer: producer)
  }

  /// Passes on.
  public func readLog(
    of run: RunID,
    producer: ProducerID,
    after sequence: UInt64,
    _ body: (Result<LoggedReport, RunStoreError>) throws(RunStoreError) -> Void
  ) throws(RunStoreError) {
    try store.readLog(of: run, producer: producer, after: sequence, body)
  }

  /// Passes on.
  public func readSeries(
    _ selection: SeriesSelection,
    _ body: (SeriesSlice) -> Bool
  ) throws(RunStoreError) { try store.readSeries(selection, body) }

  /// Passes on.
  public func readPoints(
    _ selection: PointSelection,
    _ body: (_ index: UInt32, SeriesPart) -> Bool
  ) throws(RunStoreError) { try store.readPoints(selection, body) }

  /// Passes on.
  public func readHistograms(
    of run: RunID,
    producer: ProducerID,
    tensors: [UInt32],
    steps: ClosedRange<UInt64>,
    maximumSpan: UInt64,
    _ body: (_ tensor: UInt32, HistogramPoint) -> Bool
  ) throws(RunStoreError) {
    try store.readHistograms(
      of: run,
      producer: producer,
      tensors: tensors,
      steps: steps,
      maximumSpan: maximumSpan,
      body
    )
  }

  /// Passes on.
  public func stepCount(of run: RunID, producer: ProducerID) throws(RunStoreError) -> UInt64 {
    try store.stepCount(of: run, producer: producer)
  }

  /// Passes on.
  public func firstStep(of run: RunID, producer: ProducerID) throws(RunStoreError) -> UInt64? {
    try store.firstStep(of: run, producer: producer)
  }

  /// Passes on.
  public func readScalars(
    of run: RunID,
    producer: ProducerID,
    steps: ClosedRange<UInt64>,
    _ body: (StepScalars) -> Bool
  ) throws(RunStoreError) {
    try store.readScalars(of: run, producer: producer, steps: steps, body)
  }

  /// Passes on.
  public func readStepSeries(
    _ selection: StepSeriesSelection,
    _ body: (StepSeriesPiece) -> Bool
  ) throws(RunStoreError) {
    try store.readStepSeries(selection, body)
  }

  /// Passes on.
  public func alerts(
    _ filter: AlertFilter,
    page: PageRequest,
    damaged: (RunStoreError) -> Void
  ) throws(RunStoreError) -> Page<Alert> { try store.alerts(filter, page: page, damaged: damaged) }

  /// Passes on.
  public func alert(_ id: AlertID) throws(RunStoreError) -> Alert? { try store.alert(id) }

  /// Passes on.
  public func transitions(
    after cursor: AlertCursor,
    limit: Int,
    damaged: (RunStoreError) -> Void
  ) throws(RunStoreError) -> [StoredTransition] {
    try store.transitions(after: cursor, limit: limit, damaged: damaged)
  }

  /// Passes on.
  public func reports(
    of run: RunID,
    producer: ProducerID,
    from step: UInt64
  ) throws(RunStoreError) -> [LoggedReport] {
    try store.reports(of: run, producer: producer, from: step)
  }

  /// Passes on.
  public func annotations(
    _ filter: AnnotationFilter,
    page: PageRequest
  ) throws(RunStoreError) -> Page<StoredAnnotation> {
    try store.annotations(filter, page: page)
  }

  /// Passes on.
  public func setRules(
    _ rules: RuleSet,
    of target: RuleTarget
  ) throws(RunStoreError) -> Int64 { try store.setRules(rules, of: target) }

  /// Passes on.
  public func rules(of target: RuleTarget) throws(RunStoreError) -> StoredRules? {
    try store.rules(of: target)
  }

  /// Passes on.
  public func rulesInForce(
    for run: RunID,
    damaged: (RunStoreError) -> Void
  ) throws(RunStoreError) -> StoredRules {
    try store.rulesInForce(for: run, damaged: damaged)
  }

  /// Passes on.
  public func addSilence(_ silence: Silence, at now: WallTime) throws(RunStoreError) {
    try store.addSilence(silence, at: now)
  }

  /// Passes on.
  public func removeSilence(_ id: String) throws(RunStoreError) -> Bool {
    try store.removeSilence(id)
  }

  /// Passes on.
  public func silences(damaged: (RunStoreError) -> Void) throws(RunStoreError) -> [Silence] {
    try store.silences(damaged: damaged)
  }

  /// Passes on.
  public func deleteRun(
    _ run: RunID,
    evenIfRunning: Bool
  ) throws(RunStoreError) -> Bool { try store.deleteRun(run, evenIfRunning: evenIfRunning) }

  /// Passes on.
  public func reclaimNext() throws(RunStoreError) -> Bool { try store.reclaimNext() }

  /// Passes on.
  public func setRetention(
    _ retention: Retention?,
    of project: String?
  ) throws(RunStoreError) { try store.setRetention(retention, of: project) }

  /// Passes on.
  public func retention() throws(RunStoreError) -> RetentionSettings { try store.retention() }

  /// Passes on.
  public func projects() throws(RunStoreError) -> [String] { try store.projects() }

  /// Passes on.
  public func footprints(of project: String) throws(RunStoreError) -> [RunFootprint] {
    try store.footprints(of: project)
  }

  /// Passes on.
  public func statistics() throws(RunStoreError) -> StoreStatistics { try store.statistics() }

  /// Passes on.
  public func checkpoint() throws(RunStoreError) { try store.checkpoint() }

  /// Passes on.
  public func lastCursor() throws(RunStoreError) -> AlertCursor { try store.lastCursor() }

  /// Passes on.
  public func close() throws(RunStoreError) { try store.close() }
}
