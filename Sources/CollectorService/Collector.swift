public import GRPCCore
public import Logging
package import Query
public import RunStore
public import ServiceLifecycle
public import Telemetry

/// A collector: the rooms wired together, without a transport.
///
/// A report goes from ``IngestAdapter`` through ``LiveProducer`` (sequence, detect) to ``Committer``
/// (durable), and from there back as an ack and on to ``Query/AlertFeed``. Queries go from
/// ``QueryAdapter`` through ``Query/RunReader`` to the store.
///
/// Life: make it, give ``services`` to a `GRPCServer`, run it as a `Service` beside that server, and call
/// ``close()`` when both have ended.
public final class Collector: Service {
  let store: any RunStore
  let options: CollectorOptions
  let now: @Sendable () -> WallTime
  let uptime: @Sendable () -> Duration
  package let feed: AlertFeed
  let committer: Committer
  package let producers: LiveProducers
  let silences: SilenceBook
  let ruleTests = WorkSlots(overflow: Failure.tooManyTests)
  /// Comparisons of runs under way.
  let comparisons = WorkSlots(overflow: Failure.tooManyComparisons)
  /// For what clients ask.
  let blocking: BlockingExecutor
  /// For jobs that start and end, which must not wait for those who look at others.
  let ingesting: BlockingExecutor
  /// For what is sent to subscribers, which each alert wakes all at once.
  let subscribing = SerialTaskExecutor(label: "gradwatch.subscribing")
  let health = HealthState()
  /// What it does and has done, for an operator.
  let activity = Activity()
  let startedAt: WallTime
  package let removal: RunRemoval

  /// There is something to seal, or to delete.
  private let tidier = Signal()
  /// For sealing and deleting, which must get on however many ask: the log grows meanwhile.
  private let tidying = BlockingExecutor(label: "gradwatch.tidying", width: 1)
  private let sealing: FailureLog
  private let deleting: FailureLog
  let logger: Logger

  /// Makes a collector over a store.
  ///
  /// - Parameters:
  ///   - store: Where runs live; the collector closes it in ``close()``.
  ///   - options: What the operator set.
  ///   - logger: Where it says what an operator must know.
  ///   - now: The clock; wall time, which may jump.
  ///   - uptime: A clock that does not: the time since the collector was started.
  /// - Throws: ``RunStore/RunStoreError`` if the store can't be read.
  public init(
    store: any RunStore,
    options: CollectorOptions,
    logger: Logger,
    now: @escaping @Sendable () -> WallTime,
    uptime: @escaping @Sendable () -> Duration
  ) throws {
    self.store = store
    self.options = options
    self.logger = logger
    self.now = now
    self.uptime = uptime
    sealing = FailureLog("seal", logger)
    deleting = FailureLog("delete", logger)
    blocking = BlockingExecutor(label: "gradwatch.store", width: 4)
    ingesting = BlockingExecutor(label: "gradwatch.ingesting", width: 2)
    silences = try SilenceBook(store: store) {
      logger.error("a silence is left out", metadata: ["error": "\($0)"])
    }
    feed = AlertFeed(after: try store.lastCursor(), capacity: options.alertFeedCapacity)
    committer = Committer(
      store: store,
      feed: feed,
      maximumPendingBytes: options.maximumPendingBytes,
      logger: logger
    ) { [tidier] in tidier.raise() }
    producers = LiveProducers(
      store: store,
      committer: committer,
      blocking: ingesting,
      options: options,
      logger: logger,
      now: now
    )
    startedAt = now()
    removal = RunRemoval(
      store: store,
      producers: producers,
      feed: feed,
      blocking: blocking,
      now: now,
      uptime: uptime,
      logger: logger
    ) { [tidier] in tidier.raise() }
  }

  /// The gRPC services to register with a server.
  public var services: [any RegistrableRPCService] {
    let served: [any RegistrableRPCService] = [
      IngestService(adapter: IngestAdapter(collector: self)), QueryAdapter(collector: self),
      AlertAdapter(collector: self), AdminAdapter(collector: self), HealthAdapter(state: health),
    ]
    return served + ReflectionAdapter.services
  }

  /// Watches for silence, prunes, seals and deletes, until the task is cancelled or a graceful shutdown begins.
  public func run() async throws {
    await cancelWhenGracefulShutdown {
      await withTaskGroup(of: Void.self) { group in
        group.addTask { await self.watchForSilence() }
        group.addTask { await self.pruneInBackground() }
        group.addTask { await self.tidyInBackground() }
        await group.waitForAll()
      }
    }
  }

  /// Says that no more calls will be served: health turns to NOT_SERVING and its watchers hear of it.
  public func beginShutdown() { health.shutDown() }

  /// Makes everything accepted durable and closes the store; call when no call is served any more.
  public func close() async throws {
    await committer.flush()
    try await blocking.run { [store] in try store.close() }
  }

  /// How many reports of one stream may be under way, as things are now.
  func credits(reportBytes: Int) -> Int {
    options.credits(streams: activity.streams.value, reportBytes: reportBytes)
  }

  /// Transitions after a cursor, oldest first, from memory or, if they are older, from the store.
  ///
  /// - Returns: Some of them, and where to go on; if there are none, that is behind all that were published before the call: what
  ///   lies between was of runs that are deleted.
  func transitions(
    after cursor: AlertCursor
  ) async throws -> (found: [StoredTransition], next: AlertCursor) {
    // Before the reading, or one that is published meanwhile would be passed over.
    let newest = feed.last
    let found =
      switch feed.read(after: cursor, limit: Self.transitionsPerRead) {
      case .transitions(let transitions): transitions
      case .behind:
        try await blocking.run { [store, logger] in
          try store.transitions(after: cursor, limit: Self.transitionsPerRead) { damage in
            logger.error("alert transitions go on without", metadata: ["error": "\(damage)"])
          }
        }
      }
    return (found, found.last?.cursor ?? Swift.max(cursor, newest))
  }

  /// A page of alerts for those who follow them, but for those that are damaged, of which the log tells; blocks.
  func alerts(_ filter: AlertFilter, page: PageRequest) throws(RunStoreError) -> Page<Alert> {
    try store.alerts(filter, page: page) { damage in
      logger.error("a subscription goes on without", metadata: ["error": "\(damage)"])
    }
  }

  /// The cursor that a subscriber brings; the newest, if it is of a database of which an earlier copy was put back.
  func resumable(_ cursor: AlertCursor) async throws -> AlertCursor {
    guard cursor > feed.last else { return cursor }
    return Swift.min(cursor, try await blocking.run { [store] in try store.lastCursor() })
  }

  /// How many transitions are read at once; one takes some kilobytes.
  private static let transitionsPerRead = 128

  /// The ticks after which tidying is tried though nothing was committed.
  private static let ticksPerTidying = 60

  private func watchForSilence() async {
    do {
      let count = try await producers.restore()
      if count > 0 {
        logger.info("watching the producers of runs in progress", metadata: ["count": "\(count)"])
      }
    } catch {
      logger.error("cannot restore runs in progress", metadata: ["error": "\(error)"])
    }
    var ticks = 0
    while !Task.isCancelled {
      await producers.tick()
      ticks += 1
      // What a full disk has kept from being sealed or deleted is tried again, also if nobody reports.
      if ticks.isMultiple(of: Self.ticksPerTidying) { tidier.raise() }
      try? await Task.sleep(for: .seconds(options.tickSeconds))
    }
  }

  /// Beside the others: it may take long, and who is silent must be noticed meanwhile.
  private func pruneInBackground() async {
    while !Task.isCancelled {
      do {
        _ = try await removal.tick()
      } catch {
        logger.error("cannot prune", metadata: ["error": "\(error)"])
      }
      try? await Task.sleep(for: .seconds(options.tickSeconds))
    }
  }

  private func tidyInBackground() async {
    while !Task.isCancelled {
      // In turn, so that neither waits for all of the other.
      let silent = WallTime(clamping: now().seconds - options.silentSeconds)
      let sealed = await attempt(sealing) { try $0.sealNext(silentBefore: silent) }
      let reclaimed = await attempt(deleting) { try $0.reclaimNext() }
      if !sealed, !reclaimed { await tidier.wait() }
    }
  }

  /// Does a part of the work; returns whether there may be more.
  ///
  /// What could not be sealed stays in the log, where it is just as durable, and what could not be deleted
  /// is seen by nobody; the next snapshot wakes the loop again.
  private func attempt(
    _ failures: FailureLog,
    _ work: @escaping @Sendable (any RunStore) throws -> Bool
  ) async -> Bool {
    do {
      return try await tidying.run { [store] in try work(store) }
    } catch {
      failures.failed(error)
      return false
    }
  }
}
