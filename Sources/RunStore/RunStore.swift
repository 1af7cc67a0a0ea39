public import Telemetry

/// Where runs live: registrations, reports, detector snapshots and alerts, durable and queryable.
///
/// The only room that knows a database. ``SQLiteRunStore`` is the implementation of today; every
/// implementation passes `RunStoreCompat`. Nothing above this protocol may depend on which one it is.
///
/// All functions block the calling thread and may be called from any; the caller keeps them off the
/// cooperative pool. Writes are serialized by the store; reads see the last commit and wait for no write.
///
/// Reports are kept in two forms that a reader can't tell apart: the *log*, one row a report, and
/// *segments*, up to 256 consecutive reports of one producer transposed into a chunk a tensor. Only
/// reports that a detector snapshot covers are sealed into segments, so a snapshot and the log after it
/// always suffice to rebuild a detector.
public protocol RunStore: Sendable {
  // MARK: Writing

  /// Registers a run and the producer that speaks for it; idempotent.
  ///
  /// A run that exists takes the new name, tags and hyper-parameters, unless all are empty, and runs again if it had finished.
  /// Project and framework stay those of its first registration.
  ///
  /// - Returns: The run, and where this producer's reports end, so that the client resumes there.
  /// - Throws: ``RunStoreError/modelDiffers(run:field:expected:found:)`` if the run exists with another
  ///   model, and the errors of ``RunStoreError`` for the database.
  func register(
    _ registration: RunRegistration,
    at time: WallTime
  ) throws(RunStoreError)
    -> RegisteredRun

  /// Makes a group of changes durable in one transaction, in the order given.
  ///
  /// On return the changes survive power loss. On an error none of them was made.
  ///
  /// - Returns: For each alert transition in `changes`, in order, its cursor.
  /// - Throws: ``RunStoreError/sequenceConflict(run:producer:expected:found:)`` if a report is not the one
  ///   after its producer's last; the errors of ``RunStoreError`` for the database.
  func commit(_ changes: [RunChange]) throws(RunStoreError) -> [AlertCursor]

  /// Seals the oldest reports of one producer that a snapshot covers into one segment, in one
  /// transaction, and removes them from the log.
  ///
  /// Seals when 256 such reports wait, or any at all if the run is not running any more, or if the producer is silent: its process may
  /// have been killed, and nobody ends its run. With none of them, it makes a summary of many steps, for readers, that could not be
  /// made earlier.
  ///
  /// - Parameter time: A producer is silent if the snapshot covers all of its reports, and all came before this; `nil`: none is.
  /// - Returns: Whether there was something to do; call again until there is not.
  /// - Throws: The errors of ``RunStoreError`` for the database; another call may go on elsewhere.
  func sealNext(silentBefore time: WallTime?) throws(RunStoreError) -> Bool

  // MARK: Deleting

  /// Deletes a run: on return no reader sees anything of it, and its identifier may be registered anew.
  ///
  /// What it took is freed by ``reclaimNext()``, also after the store was closed and opened again.
  /// Changes of the run that are committed later are refused as those of any unknown run.
  ///
  /// - Parameters:
  ///   - run: The run.
  ///   - evenIfRunning: Whether a run that is running is deleted too.
  /// - Returns: Whether it was deleted; false: it is running.
  /// - Throws: ``RunStoreError/unknownRun(_:)``, and the errors of ``RunStoreError`` for the database.
  func deleteRun(_ run: RunID, evenIfRunning: Bool) throws(RunStoreError) -> Bool

  /// Frees a part of what deleted runs took, and what rewinds dropped, in one transaction that is short whatever their size.
  ///
  /// - Returns: Whether there was something to do; call again until there is not.
  func reclaimNext() throws(RunStoreError) -> Bool

  // MARK: Retention

  /// Stores how much is kept of a project, in place of what was set before; prunes nothing itself.
  ///
  /// - Parameters:
  ///   - retention: The limits; `nil`: takes the project's own back.
  ///   - project: The project, which need not have any runs yet; `nil`: all that have none of their own.
  /// - Throws: The errors of ``RunStoreError`` for the database.
  func setRetention(_ retention: Retention?, of project: String?) throws(RunStoreError)

  /// All that was set.
  func retention() throws(RunStoreError) -> RetentionSettings

  /// The projects that have runs, sorted.
  func projects() throws(RunStoreError) -> [String]

  /// What each run of a project takes, in no particular order.
  func footprints(of project: String) throws(RunStoreError) -> [RunFootprint]

  // MARK: Upkeep

  /// How large the store is, and what it has still to do.
  func statistics() throws(RunStoreError) -> StoreStatistics

  /// Moves what waits in the write-ahead log into the database, as far as readers let it, and shortens
  /// the log to nothing if that was all; commits wait meanwhile, but it waits for no reader.
  func checkpoint() throws(RunStoreError)

  // MARK: Runs

  /// The run, or `nil` if it is unknown.
  func run(_ run: RunID) throws(RunStoreError) -> RunRecord?

  /// When the run was registered first, or `nil` if it is unknown; by it a run differs from one that had its name before.
  func creation(of run: RunID) throws(RunStoreError) -> WallTime?

  /// A page of runs, the newest first.
  func runs(_ filter: RunFilter, page: PageRequest) throws(RunStoreError) -> Page<RunRecord>

  /// The run's model, or `nil` if the run is unknown.
  func model(of run: RunID) throws(RunStoreError) -> Model?

  // MARK: Detector state

  /// The newest snapshot of a producer's detector, or `nil` if none was taken.
  func snapshot(of run: RunID, producer: ProducerID) throws(RunStoreError) -> DetectorSnapshot?

  /// Reads a producer's log rows with sequence numbers above `sequence`, in order.
  ///
  /// - Parameters:
  ///   - run: The run.
  ///   - producer: The producer.
  ///   - sequence: The sequence number after which to begin.
  ///   - body: Called once a report, on the calling thread, inside one read transaction; with
  ///     ``RunStoreError/damaged(place:detail:)`` naming the row if it can't be read.
  /// - Throws: What `body` throws, and the errors of ``RunStoreError`` for the database.
  func readLog(
    of run: RunID,
    producer: ProducerID,
    after sequence: UInt64,
    _ body: (Result<LoggedReport, RunStoreError>) throws(RunStoreError) -> Void
  ) throws(RunStoreError)

  // MARK: Telemetry

  /// Reads one metric of one tensor or layer in step order, chunks and log as one.
  ///
  /// - Parameters:
  ///   - selection: What to read.
  ///   - body: Called with slices whose steps ascend within and across slices; returns whether to go
  ///     on. A step at which the metric was not measured is in no slice.
  /// - Throws: ``RunStoreError/unknownRun(_:)``, or ``RunStoreError/damaged(place:detail:)`` naming the
  ///   chunk or row.
  func readSeries(_ selection: SeriesSelection, _ body: (SeriesSlice) -> Bool) throws(RunStoreError)

  /// Reads one metric of some tensors or layers in step order, no finer than need be.
  ///
  /// What was rolled up comes as points, each over up to 4,096 measurements, if these points lie within the steps and
  /// span no more of them than asked for; all else as measurements. No minimum, maximum or non-finite value is lost either way; a
  /// mean is rounded to a float.
  ///
  /// - Parameters:
  ///   - selection: What to read.
  ///   - body: Called with parts, those of one index in step order, and those of some steps by index; returns whether to go on.
  /// - Throws: As ``readSeries(_:_:)``; a damaged rollup is passed over, because all that it has is in what it was made of.
  func readPoints(
    _ selection: PointSelection,
    _ body: (_ index: UInt32, SeriesPart) -> Bool
  ) throws(RunStoreError)

  /// Reads some tensors' histograms, each one's in step order, chunks and log as one, merged where they were rolled up.
  ///
  /// The log is read once for all of them: a report has its tensors' histograms in one piece.
  ///
  /// - Parameters:
  ///   - run: The run.
  ///   - producer: The producer.
  ///   - tensors: The indices of the tensors in the model.
  ///   - steps: The steps, both ends included.
  ///   - maximumSpan: The most steps that merged histograms may be of, from first to last, both included; 1: every one as it was
  ///     reported.
  ///   - body: Called once a histogram, or with some that were merged; returns whether to go on.
  /// - Throws: As ``readSeries(_:_:)``.
  func readHistograms(
    of run: RunID,
    producer: ProducerID,
    tensors: [UInt32],
    steps: ClosedRange<UInt64>,
    maximumSpan: UInt64,
    _ body: (_ tensor: UInt32, HistogramPoint) -> Bool
  ) throws(RunStoreError)

  /// The number of steps that a producer has; those that a rewind dropped don't count.
  ///
  /// - Throws: ``RunStoreError/unknownRun(_:)`` or ``RunStoreError/unknownProducer(_:_:)``.
  func stepCount(of run: RunID, producer: ProducerID) throws(RunStoreError) -> UInt64

  /// The first step that a producer has; `nil` if it has none, or what tells it is damaged.
  ///
  /// - Throws: ``RunStoreError/unknownRun(_:)`` or ``RunStoreError/unknownProducer(_:_:)``.
  func firstStep(of run: RunID, producer: ProducerID) throws(RunStoreError) -> UInt64?

  /// Reads what a producer said of its steps as a whole, in step order, segments and log as one.
  ///
  /// - Parameters:
  ///   - run: The run.
  ///   - producer: The producer.
  ///   - steps: The steps, both ends included.
  ///   - body: Called once a step; returns whether to go on.
  /// - Throws: As ``readSeries(_:_:)``.
  func readScalars(
    of run: RunID,
    producer: ProducerID,
    steps: ClosedRange<UInt64>,
    _ body: (StepScalars) -> Bool
  ) throws(RunStoreError)

  /// Reads one metric of the step as a whole in step order, all of its series together, segments and log as one, summed up where
  /// it was rolled up.
  ///
  /// - Parameters:
  ///   - selection: What to read.
  ///   - body: Called once for some consecutive reports, in step order; returns whether to go on.
  /// - Throws: As ``readSeries(_:_:)``.
  func readStepSeries(
    _ selection: StepSeriesSelection,
    _ body: (StepSeriesPiece) -> Bool
  ) throws(RunStoreError)

  /// Reads whole reports in step order, segments and log as one, for a replay.
  ///
  /// The columns of a report come back value for value, with tensors and layers in the order of their
  /// index. Reports that a rewind dropped are gone.
  ///
  /// - Parameters:
  ///   - run: The run.
  ///   - producer: The producer.
  ///   - step: The step at which to begin.
  /// - Returns: At least one and at most 256 reports; none if there are none at `step` or above. The next
  ///   ones begin after the last of these.
  /// - Throws: As ``readSeries(_:_:)``.
  func reports(
    of run: RunID,
    producer: ProducerID,
    from step: UInt64
  ) throws(RunStoreError) -> [LoggedReport]

  /// A page of what was done at a run's steps, in the order in which it was stored, the newest first.
  ///
  /// - Throws: ``RunStoreError/unknownRun(_:)`` or ``RunStoreError/unknownProducer(_:_:)``.
  func annotations(
    _ filter: AnnotationFilter,
    page: PageRequest
  ) throws(RunStoreError) -> Page<StoredAnnotation>

  // MARK: Rules and silences

  /// Stores what users change about the rules, in place of the earlier set of this project or run.
  ///
  /// - Returns: The set's revision, above that of every set stored before.
  /// - Throws: ``RunStoreError/unknownRun(_:)`` for a run; a project need not have any runs yet.
  func setRules(_ rules: RuleSet, of target: RuleTarget) throws(RunStoreError) -> Int64

  /// The rule set that was set last for a project or run; `nil` if none ever was.
  func rules(of target: RuleTarget) throws(RunStoreError) -> StoredRules?

  /// What is in force for a run: its project's set with its own above it, as of one moment.
  ///
  /// - Parameters:
  ///   - run: The run.
  ///   - damaged: Called with what is damaged and left out.
  /// - Returns: The set, and the higher of the two revisions: it says which sets these are.
  /// - Throws: ``RunStoreError/unknownRun(_:)``.
  func rulesInForce(
    for run: RunID,
    damaged: (RunStoreError) -> Void
  ) throws(RunStoreError) -> StoredRules

  /// Stores a silence, or replaces the one of the same identifier, and forgets those that ended before.
  func addSilence(_ silence: Silence, at now: WallTime) throws(RunStoreError)

  /// Forgets a silence; returns whether there was one.
  func removeSilence(_ id: String) throws(RunStoreError) -> Bool

  /// All silences, the one that ends first before the others; some may have ended. `damaged` is called with what is left out.
  func silences(damaged: (RunStoreError) -> Void) throws(RunStoreError) -> [Silence]

  // MARK: Alerts

  /// A page of alerts, the newest first.
  ///
  /// - Parameters:
  ///   - filter: Which.
  ///   - page: Where it starts, and how many.
  ///   - damaged: Called for each that can't be read: the others are given all the same.
  /// - Returns: The others, and where the next page starts.
  /// - Throws: ``RunStoreError/unknownRun(_:)``, or that the database can't be read.
  func alerts(
    _ filter: AlertFilter,
    page: PageRequest,
    damaged: (RunStoreError) -> Void
  ) throws(RunStoreError) -> Page<Alert>

  /// One alert, or `nil` if it is unknown.
  func alert(_ id: AlertID) throws(RunStoreError) -> Alert?

  /// Up to `limit` transitions with cursors above `cursor`, oldest first; none if there is none above it that can be read.
  ///
  /// - Parameters:
  ///   - cursor: The cursor.
  ///   - limit: The most transitions.
  ///   - damaged: Called for each that can't be read: those of other runs are given all the same.
  /// - Returns: The others.
  /// - Throws: ``RunStoreError`` if the database can't be read.
  func transitions(
    after cursor: AlertCursor,
    limit: Int,
    damaged: (RunStoreError) -> Void
  ) throws(RunStoreError)
    -> [StoredTransition]

  /// The cursor of the newest transition; ``AlertCursor/start`` if there is none.
  func lastCursor() throws(RunStoreError) -> AlertCursor

  // MARK: Life

  /// Closes the database; no other function may be called after it. Safe to call twice.
  func close() throws(RunStoreError)
}

extension RunStore {
  /// Reads one tensor's histograms, as ``readHistograms(of:producer:tensors:steps:maximumSpan:_:)`` does those of some.
  public func readHistograms(
    of run: RunID,
    producer: ProducerID,
    tensor: UInt32,
    steps: ClosedRange<UInt64>,
    maximumSpan: UInt64,
    _ body: (HistogramPoint) -> Bool
  ) throws(RunStoreError) {
    try readHistograms(
      of: run,
      producer: producer,
      tensors: [tensor],
      steps: steps,
      maximumSpan: maximumSpan
    ) { body($1) }
  }
}

extension RunStore {
  /// The same, with no producer taken for silent.
  public func sealNext() throws(RunStoreError) -> Bool { try sealNext(silentBefore: nil) }

  /// What is in force for a run, for those who can't do without a part of it.
  ///
  /// - Throws: Also ``RunStoreError/damaged(place:detail:)`` for the first that can't be read.
  public func rulesInForce(for run: RunID) throws(RunStoreError) -> StoredRules {
    var failure: RunStoreError?
    let rules = try rulesInForce(for: run) { failure = failure ?? $0 }
    if let failure { throw failure }
    return rules
  }

  /// All silences, for those who can't do without one of them.
  ///
  /// - Throws: Also ``RunStoreError/damaged(place:detail:)`` for the first that can't be read.
  public func silences() throws(RunStoreError) -> [Silence] {
    var failure: RunStoreError?
    let silences = try silences { failure = failure ?? $0 }
    if let failure { throw failure }
    return silences
  }

  /// A page of alerts, the newest first, for those who can't do without one of them.
  ///
  /// - Throws: Also ``RunStoreError/damaged(place:detail:)`` for the first that can't be read.
  public func alerts(
    _ filter: AlertFilter,
    page: PageRequest
  ) throws(RunStoreError) -> Page<Alert> {
    var failure: RunStoreError?
    let page = try alerts(filter, page: page) { failure = failure ?? $0 }
    if let failure { throw failure }
    return page
  }
}
