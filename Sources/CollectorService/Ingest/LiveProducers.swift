import Detection
import Ingest
import Logging
import RunStore
import Telemetry

/// The producers that are reporting, each with its detector in memory.
///
/// Bound: ``CollectorOptions/maximumLiveProducers``, and ``CollectorOptions/maximumLiveTensors`` of all together. Overflow: those that
/// were idle longest are forgotten, and rebuilt from the store if they report again; if all have open streams, the newcomer is refused.
/// So is one forgotten that was silent for long: the run of a process that was killed never ends.
package actor LiveProducers {
  /// No more producers can be held; the client backs off and tries again.
  struct Full: Error {
    /// What there is no place for.
    let what: String
    /// The bound.
    let limit: Int
  }

  private struct Key: Hashable {
    var run: RunID
    var producer: ProducerID
  }

  private var producers: [Key: LiveProducer] = [:]
  /// When those that are silent for long were first seen so.
  private var silent: [Key: WallTime] = [:]
  /// For each run with ranks in memory, what holds them against each other.
  private var ranks: [RunID: RankWatch] = [:]
  /// How many producers of a run are being loaded: its watch is theirs already.
  private var loading: [RunID: Int] = [:]
  /// Counts how often rules were set: a producer that is loaded meanwhile may have read the old ones.
  private var rulesChanges: UInt64 = 0
  /// Runs that are being deleted, for which nobody may speak.
  private var withheld: Set<RunID> = []
  /// Counts how often runs were deleted: a producer that is loaded meanwhile may be of one.
  private var deletions: UInt64 = 0
  /// Seconds that are left to the rules of one that is silent for long: it may be the clock that has jumped.
  private static let lastWord = 3600.0
  /// The most producers that have a last snapshot made in one tick.
  private static let settlingAtOnce = 16

  private let store: any RunStore
  private let committer: Committer
  private let blocking: BlockingExecutor
  private let options: CollectorOptions
  private let logger: Logger
  private let now: @Sendable () -> WallTime

  init(
    store: any RunStore,
    committer: Committer,
    blocking: BlockingExecutor,
    options: CollectorOptions,
    logger: Logger,
    now: @escaping @Sendable () -> WallTime
  ) {
    self.store = store
    self.committer = committer
    self.blocking = blocking
    self.options = options
    self.logger = logger
    self.now = now
  }

  /// The producer, rebuilt from the store if it is not in memory or could not keep up with the disk.
  ///
  /// - Throws: ``RunStore/RunStoreError`` if it was never registered, or ``Full``.
  func producer(_ id: ProducerID, of run: RunID) async throws -> LiveProducer {
    let key = Key(run: run, producer: id)
    if let producer = producers[key], !producer.isBroken { return producer }
    guard !withheld.contains(run) else { throw RunStoreError.unknownRun(run) }
    let deletions = deletions
    // What a broken producer had queued must be settled before the store is asked where it ends; one that was forgotten had nothing
    // queued.
    if producers[key] != nil { await committer.flush() }
    let changes = rulesChanges
    loading[run, default: 0] += 1
    defer {
      loading[run, default: 1] -= 1
      if loading[run] == 0 { loading[run] = nil }
    }
    let watch = try await rankWatch(for: key)
    let loaded = try await blocking.run { [self] in try load(key, watch) }
    guard self.deletions == deletions else { return try await producer(id, of: run) }
    // Another call may have been quicker while we waited; its object may have moved on since.
    if let producer = producers[key], !producer.isBroken { return producer }
    try makeRoom(for: loaded, at: key)
    producers[key] = loaded
    if rulesChanges != changes { try await refreshRules(of: loaded) }
    return loaded
  }

  /// What holds the producer against the other ranks of its run; `nil` if it is no rank.
  private func rankWatch(for key: Key) async throws -> RankWatch? {
    let (isRank, rules, alerts) = try await blocking.run { [self] in
      let producers = try store.run(key.run)?.producers ?? []
      guard producers.first(where: { $0.producer.id == key.producer })?.producer.rank != nil else {
        return (false, StoredRules(rules: RuleSet(), revision: 0), [Alert]())
      }
      let rules = try store.rulesInForce(for: key.run) { tell($0) }
      return (true, rules, try storedRankAlerts(of: key.run))
    }
    guard isRank else { return nil }
    if let watch = ranks[key.run] {
      // This producer is loaded again because something of it was not stored; so may be the watch's.
      if producers[key]?.isBroken ?? false {
        watch.restart(run: key.run, rules: rules, adopting: alerts)
      }
      return watch
    }
    let watch = RankWatch(run: key.run, rules: rules, adopting: alerts)
    ranks[key.run] = watch
    return watch
  }

  private nonisolated func storedRankAlerts(of run: RunID) throws -> [Alert] {
    try openAlerts(AlertFilter(run: run, rules: [RankComparison.rule]))
  }

  /// All alerts that are open, however many: one that a detector is not told of it would raise again.
  private nonisolated func openAlerts(_ filter: AlertFilter) throws -> [Alert] {
    var filter = filter
    filter.states = Set(AlertState.allCases.filter(\.isOpen))
    var page = PageRequest(size: CollectorOptions.maximumPageSize)
    var alerts: [Alert] = []
    while true {
      let found = try store.alerts(filter, page: page) { tell($0) }
      alerts += found.items
      guard let next = found.next else { return alerts }
      page.after = next
    }
  }

  /// Has the producers in memory take rules that were set.
  func rulesChanged(of target: RuleTarget) async throws {
    rulesChanges += 1
    for producer in producers.values {
      switch target {
      case .project(let project) where project == producer.project: break
      case .run(let run) where run == producer.run: break
      default: continue
      }
      try await refreshRules(of: producer)
    }
  }

  private func refreshRules(of producer: LiveProducer) async throws {
    let rules = try await blocking.run { [self] in
      try store.rulesInForce(for: producer.run) { tell($0) }
    }
    producer.use(rules, at: now())
  }

  /// How many producers are in memory.
  var count: Int { producers.count }

  /// Forgets a run's producers, and lets none of them come back while `delete` deletes the run.
  ///
  /// Their streams end first, and what they had queued is settled: nothing of the run is on its way to the
  /// store when `delete` begins. If it fails, clients have heard that the run is deleted all the same.
  ///
  /// - Returns: What `delete` returns; false, and nothing was done, if streams are open and that does not
  ///   count.
  func forget(
    _ run: RunID,
    evenIfStreaming: Bool,
    _ delete: @Sendable () async throws -> Bool
  ) async throws -> Bool {
    let own = producers.filter { $0.key.run == run }
    guard evenIfStreaming || !own.values.contains(where: \.hasStream) else { return false }
    guard withheld.insert(run).inserted else { throw RunStoreError.unknownRun(run) }
    defer {
      withheld.remove(run)
      // Also what a producer that was being loaded has left there.
      ranks[run] = nil
    }
    deletions += 1
    for (key, producer) in own {
      producer.end()
      producers[key] = nil
    }
    await committer.flush()
    return try await delete()
  }

  /// The producers in memory of one run.
  func inMemory(of run: RunID) -> [LiveProducer] {
    producers.values.filter { $0.run == run }
  }

  /// Lets every producer look at the clock, and forgets those whose run ended, or that were silent for long.
  package func tick() async {
    await reloadBroken()
    let time = now()
    var settling = 0
    for (key, producer) in producers {
      if !producer.isFinished { producer.tick(at: time) }
      // One that has just told of its silence is not idle.
      guard let since = producer.idleSince else { continue }
      let isDone = producer.isFinished || isSilent(key, since: since, at: time)
      // With a snapshot of all, the store seals what is left in the log; then it may go. After a power cut all are silent at once.
      guard isDone, settling < Self.settlingAtOnce else { continue }
      if producer.settle() { producers[key] = nil } else { settling += 1 }
    }
    silent = silent.filter { producers[$0.key] != nil }
    let runs = Set(producers.keys.map(\.run)).union(loading.keys)
    ranks = ranks.filter { runs.contains($0.key) }
  }

  /// Rebuilds what could not be made durable and has no stream that would: or nobody would notice that it is silent.
  private func reloadBroken() async {
    let broken = producers.filter { $0.value.isBroken && $0.value.idleSince != nil }
    for key in broken.keys.prefix(Self.settlingAtOnce) {
      do {
        _ = try await producer(key.producer, of: key.run)
      } catch {
        logger.error("cannot watch a run in progress", metadata: ["error": "\(error)"])
        // Another call may have been quicker; and what is unavailable may be there at the next tick.
        guard producers[key]?.isBroken ?? false else { continue }
        if case .unavailable? = error as? RunStoreError { continue }
        producers[key] = nil
      }
    }
  }

  /// Whether a producer was silent for so long that no rule waits for it to report any more.
  private func isSilent(_ key: Key, since: WallTime, at time: WallTime) -> Bool {
    guard time.seconds(since: since) > options.silentSeconds else {
      silent[key] = nil
      return false
    }
    let seen = silent[key] ?? time
    silent[key] = seen
    return time.seconds(since: seen) > Self.lastWord
  }

  /// Rebuilds the producers of all runs that are running, so that rules watch them from the start, until the task is cancelled.
  ///
  /// - Returns: How many there are.
  func restore() async throws -> Int {
    var page = PageRequest(size: CollectorOptions.maximumPageSize)
    var count = 0
    while true {
      let request = page
      let runs = try await blocking.run { [store] in
        try store.runs(RunFilter(status: .running), page: request)
      }
      for run in runs.items {
        for state in run.producers where state.lastSequence > 0 {
          guard !Task.isCancelled, count < options.maximumLiveProducers / 2,
            size < options.maximumLiveTensors / 2
          else {
            return count
          }
          do {
            _ = try await producer(state.producer.id, of: run.run)
            count += 1
          } catch let error as RunStoreError {
            // The others are watched all the same.
            logger.error("cannot restore a run in progress", metadata: ["error": "\(error)"])
          }
        }
      }
      guard let next = runs.next else { return count }
      page.after = next
    }
  }

  /// The tensors and layers of all producers in memory.
  private var size: Int { producers.values.reduce(0) { $0 + $1.size } }

  private func makeRoom(for newcomer: LiveProducer, at place: Key) throws {
    let others = producers.filter { $0.key != place }
    var count = others.count
    var size = others.values.reduce(newcomer.size) { $0 + $1.size }
    // The one that was idle longest comes last.
    lazy var idle = others.compactMap { key, other in other.idleSince.map { (key, other.size, $0) }
    }
    .sorted { $0.2 > $1.2 }
    var leaving: [Key] = []
    while count >= options.maximumLiveProducers || size > options.maximumLiveTensors {
      guard let oldest = idle.popLast() else {
        throw count < options.maximumLiveProducers
          ? Full(what: "tensors", limit: options.maximumLiveTensors)
          : Full(what: "producers", limit: options.maximumLiveProducers)
      }
      leaving.append(oldest.0)
      count -= 1
      size -= oldest.1
    }
    for key in leaving { producers[key] = nil }
  }

  /// Rebuilds a producer: the newest snapshot, the reports since, and what people said of its alerts.
  ///
  /// What is damaged of them is told and left out: its rules know less then, but the run can go on.
  private nonisolated func load(_ key: Key, _ ranks: RankWatch?) throws -> LiveProducer {
    guard let record = try store.run(key.run), let model = try store.model(of: key.run) else {
      throw RunStoreError.unknownRun(key.run)
    }
    guard let state = record.producers.first(where: { $0.producer.id == key.producer }) else {
      throw RunStoreError.unknownProducer(key.run, key.producer)
    }
    let rules = try store.rulesInForce(for: key.run) { tell($0) }
    var (detector, seen, isWhole) = try restore(key, model)
    var replayed = 0
    try store.readLog(of: key.run, producer: key.producer, after: seen) {
      (result) throws(RunStoreError) in
      let logged: LoggedReport
      switch result {
      case .success(let report): logged = report
      case .failure(let damage):
        tell(damage)
        isWhole = false
        return
      }
      if logged.rewinds {
        _ = detector.rewind(to: logged.report.step, at: logged.receivedAt)
      }
      _ = detector.observe(logged.report, receivedAt: logged.receivedAt)
      seen = logged.report.sequence
      replayed += 1
    }
    detector.adopt(try storedAlerts(of: key), isReplayed: isWhole)
    return LiveProducer(
      run: key.run,
      size: model.tensors.count + model.layers.count,
      producer: state.producer,
      ranks: ranks,
      project: record.project,
      isFinished: record.status != .running,
      sequencer: ProducerSequencer(
        model: model,
        lastSequence: state.lastSequence,
        lastStep: state.lastStep
      ),
      detector: detector,
      rules: rules,
      reportsSinceSnapshot: replayed,
      committer: committer,
      snapshotInterval: options.snapshotInterval,
      at: now()
    )
  }

  /// The detector of the newest snapshot, with the rules of that time, the last report in it, and whether
  /// it and the log together hold all reports.
  ///
  /// Without a snapshot no rules were ever taken, because taking them makes one.
  /// A snapshot that is damaged, or of another version, is no loss of data, only of baselines: the
  /// detector begins afresh with the reports that are still in the log.
  private nonisolated func restore(
    _ key: Key,
    _ model: Model
  ) throws -> (detector: Detector, seen: UInt64, isWhole: Bool) {
    let fresh = Detector(run: key.run, producer: key.producer, model: model)
    do {
      guard let snapshot = try store.snapshot(of: key.run, producer: key.producer) else {
        return (fresh, 0, true)
      }
      let detector = try Detector(
        run: key.run,
        producer: key.producer,
        model: model,
        restoring: snapshot.state
      )
      return (detector, snapshot.sequence, true)
    } catch let error as RunStoreError {
      guard case .damaged = error else { throw error }
      tell(error)
      return (fresh, 0, false)
    } catch is SnapshotError {
      return (fresh, 0, false)
    }
  }

  /// Says what a detector has to do without.
  private nonisolated func tell(_ damage: RunStoreError) {
    logger.error("a detector goes on without", metadata: ["error": "\(damage)"])
  }

  /// The producer's alerts: what is open, and the newest page of what could come back.
  private nonisolated func storedAlerts(of key: Key) throws -> [Alert] {
    var filter = AlertFilter(run: key.run, producer: key.producer)
    let open = try openAlerts(filter)
    filter.states = [.resolved]
    let newest = PageRequest(size: CollectorOptions.maximumPageSize)
    return open + (try store.alerts(filter, page: newest) { tell($0) }.items)
  }
}
