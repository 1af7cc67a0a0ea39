import Logging
import Query
package import RunStore
import Telemetry

/// Deletes runs: first what is in memory of them, then in the store. Its space comes back in the background.
package actor RunRemoval {
  private let store: any RunStore
  private let producers: LiveProducers
  private let feed: AlertFeed
  private let blocking: BlockingExecutor
  private let now: @Sendable () -> WallTime
  private let uptime: @Sendable () -> Duration
  private let onDeletion: @Sendable () -> Void
  private let logger: Logger
  /// Since when nothing is deleted for a while, by ``uptime``: the last time, or a jump of the clock; `nil`: nothing was yet.
  private var pausedSince: Duration?
  /// What both clocks showed when they were last looked at.
  private var lastTick: (time: WallTime, uptime: Duration)?
  /// When runs were registered, since the start and within the time of silence.
  private var registered: [RunID: WallTime] = [:]

  /// The time between two times of pruning.
  static let interval = Duration.seconds(3600)

  /// The seconds between two looks at them by which the wall clock may differ from the other; more, and it was set.
  static let drift = 60.0

  /// The time after the start before a run counts as silent: while no collector was there, nothing could be heard.
  static let hearing = Duration.seconds(86_400)

  /// Makes a remover; `onDeletion` is called after a run was deleted: there is space to give back.
  init(
    store: any RunStore,
    producers: LiveProducers,
    feed: AlertFeed,
    blocking: BlockingExecutor,
    now: @escaping @Sendable () -> WallTime,
    uptime: @escaping @Sendable () -> Duration,
    logger: Logger,
    onDeletion: @escaping @Sendable () -> Void
  ) {
    self.store = store
    self.producers = producers
    self.feed = feed
    self.blocking = blocking
    self.now = now
    self.uptime = uptime
    self.logger = logger
    self.onDeletion = onDeletion
  }

  /// Keeps a run that was registered, maybe again after a long time, from counting as silent: its first report may take a while.
  func heard(of run: RunID) {
    let time = now()
    registered = registered.filter { abs(time.seconds(since: $0.value)) <= Retention.silence }
    registered[run] = time
  }

  /// Deletes a run, and returns what it was.
  ///
  /// - Throws: ``RunStore/RunStoreError/unknownRun(_:)``; ``Failure/runHasStreams(_:)`` if it is
  ///   running, streams are open for it, and `force` is false.
  func delete(_ run: RunID, force: Bool) async throws -> RunRecord {
    guard let record = try await blocking.run({ [store] in try store.run(run) }) else {
      throw RunStoreError.unknownRun(run)
    }
    // A client of a run that ended may have its stream still open.
    let evenIfStreaming = force || record.status != .running
    let isDeleted = try await remove(run, evenIfStreaming: evenIfStreaming) { [store] in
      try store.deleteRun(run, evenIfRunning: true)
    }
    guard isDeleted else {
      throw Failure.runHasStreams(run).status
    }
    logger.info(
      "deleted a run",
      metadata: ["run": "\(run)", "project": "\(record.project)", "limit": "asked for"]
    )
    return record
  }

  /// Deletes the runs that are beyond limits, until the task is cancelled.
  ///
  /// Of all projects one that can't be measured because it is damaged is told in the log, and keeps no other from being pruned.
  ///
  /// - Parameters:
  ///   - project: The project; `nil`: each of them.
  ///   - retention: The limits; `nil`: those that were set.
  ///   - dryRun: Whether they are only named.
  /// - Returns: What was deleted, or would be. A run that is in use again meanwhile stays.
  /// - Throws: ``RunStore/RunStoreError`` for the database; what was deleted before stays deleted.
  func prune(
    project: String?,
    retention: Retention?,
    dryRun: Bool
  ) async throws -> [Retention.Excess] {
    let settings = try await blocking.run { [store] in try store.retention() }
    let all = try await blocking.run { [store] in try store.projects() }
    var pruned: [Retention.Excess] = []
    let isOfAll = project == nil
    for project in project.map({ [$0] }) ?? all {
      let limits = retention ?? settings.inForce(for: project)
      guard !limits.keepsEverything else { continue }
      let footprints: [RunFootprint]
      do {
        footprints = try await blocking.run { [store] in try store.footprints(of: project) }
      } catch {
        guard isOfAll, case RunStoreError.damaged = error else { throw error }
        logger.error(
          "cannot prune a project",
          metadata: ["project": "\(project)", "error": "\(error)"]
        )
        continue
      }
      for excess in limits.excess(of: footprints.map(withWhatWasHeard), at: now()) {
        guard !Task.isCancelled else { return pruned }
        if dryRun {
          pruned.append(excess)
        } else if try await remove(excess) {
          logger.info("deleted a run", metadata: excess.metadata)
          pruned.append(excess)
        }
      }
    }
    return pruned
  }

  private func withWhatWasHeard(_ footprint: RunFootprint) -> RunFootprint {
    var footprint = footprint
    let time = now()
    let isHearing = uptime() >= Self.hearing
    let times = [footprint.lastHeardAt, registered[footprint.run], isHearing ? nil : time]
    footprint.lastHeardAt = times.compactMap(\.self).max() ?? footprint.lastHeardAt
    return footprint
  }

  /// Deletes what is beyond the limits that were set, if that was not done within the hour.
  ///
  /// Nor within an hour of a jump of the wall clock: by the wrong time everything would be too old, and what is deleted is lost.
  package func tick() async throws -> [Retention.Excess] {
    let (time, uptime) = (now(), uptime())
    if let lastTick {
      let passed = (uptime - lastTick.uptime) / .seconds(1)
      if abs(time.seconds(since: lastTick.time) - passed) > Self.drift { pausedSince = uptime }
    }
    lastTick = (time, uptime)
    if let pausedSince, uptime - pausedSince < Self.interval { return [] }
    pausedSince = uptime
    return try await prune(project: nil, retention: nil, dryRun: false)
  }

  /// Deletes a run that is not in use; returns whether it was deleted.
  private func remove(_ excess: Retention.Excess) async throws -> Bool {
    let footprint = excess.footprint
    let run = footprint.run
    do {
      return try await remove(run, evenIfStreaming: false) { [store] in
        guard let record = try store.run(run) else { return false }
        // One that nobody said had ended may have been heard of since it was measured.
        let isSilent = (record.lastReceivedAt ?? record.createdAt) <= footprint.lastHeardAt
        return try store.deleteRun(run, evenIfRunning: footprint.endedAt == nil && isSilent)
      }
    } catch RunStoreError.unknownRun {
      // Somebody else was quicker.
      return false
    }
  }

  /// Deletes a run by `delete`, which may decide against it.
  private func remove(
    _ run: RunID,
    evenIfStreaming: Bool,
    _ delete: @escaping @Sendable () throws -> Bool
  ) async throws -> Bool {
    let isDeleted = try await producers.forget(run, evenIfStreaming: evenIfStreaming) {
      [blocking, feed] in
      guard try await blocking.run(delete) else { return false }
      // Now, while there can't be a run of the same name.
      feed.forget(run)
      return true
    }
    if isDeleted { onDeletion() }
    return isDeleted
  }
}

extension Retention.Excess {
  /// For the log.
  fileprivate var metadata: Logger.Metadata {
    ["run": "\(footprint.run)", "project": "\(footprint.project)", "limit": "\(limit)"]
  }
}
