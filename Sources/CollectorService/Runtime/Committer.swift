import Dispatch
package import Logging
package import Query
package import RunStore
import Synchronization
import Telemetry

/// Makes changes durable, many runs' together: whatever waits goes into the next commit.
///
/// Changes are committed in the order in which they were submitted. Only after a commit are its
/// transitions published, and then its completions called: nobody hears of what could still be lost.
///
/// Bound: `maximumPendingBytes` of reports. Overflow: ``reserve(_:)`` suspends whoever reads from the network until there is room,
/// first come, first served; ``submit(_:)`` itself never waits, so that a lock can be held.
package final class Committer: Sendable {
  /// Changes that belong together, and whom to tell.
  package struct Unit: Sendable {
    /// The changes, all of one run.
    var changes: [RunChange]
    /// The run's project, by which alert subscribers filter.
    var project: String
    /// About how much memory the changes hold: as much as was reserved for them.
    var bytes: Int
    /// Called once, on the committer's thread, when the changes are durable or were given up.
    var completion: @Sendable (Result<Void, RunStoreError>) -> Void

    package init(
      changes: [RunChange],
      project: String,
      bytes: Int,
      completion: @escaping @Sendable (Result<Void, RunStoreError>) -> Void
    ) {
      self.changes = changes
      self.project = project
      self.bytes = bytes
      self.completion = completion
    }
  }

  /// The most units in a commit; past that one commit would delay the first ack too long.
  static let maximumGroup = 256
  /// The most bytes in a commit, but for a single larger unit.
  static let maximumGroupBytes = 16 << 20

  private struct State {
    var queue: [Unit] = []
    var bytes = 0
    var isDraining = false
    var waiters: [(bytes: Int, continuation: CheckedContinuation<Void, Never>)] = []
  }

  private let store: any RunStore
  private let feed: AlertFeed
  private let maximumPendingBytes: Int
  private let onSnapshot: @Sendable () -> Void
  private let failures: FailureLog
  private let thread = DispatchQueue(label: "gradwatch.committer", qos: .userInitiated)
  private let state = Mutex(State())

  /// Makes a committer.
  ///
  /// - Parameters:
  ///   - store: Where changes become durable.
  ///   - feed: Where durable transitions are published.
  ///   - maximumPendingBytes: The bound.
  ///   - logger: Where it says that nothing becomes durable, and when it does again.
  ///   - onSnapshot: Called after a commit that had a detector snapshot: there is something to seal.
  package init(
    store: any RunStore,
    feed: AlertFeed,
    maximumPendingBytes: Int,
    logger: Logger,
    onSnapshot: @escaping @Sendable () -> Void
  ) {
    self.store = store
    self.feed = feed
    self.maximumPendingBytes = maximumPendingBytes
    failures = FailureLog("commit", logger)
    self.onSnapshot = onSnapshot
  }

  /// Bytes that wait to become durable, or are reserved.
  package var pendingBytes: Int { state.withLock { $0.bytes } }

  /// How many wait for room.
  package var waitingCount: Int { state.withLock { $0.waiters.count } }

  /// Puts changes in the queue; returns at once.
  ///
  /// What they hold must be reserved.
  package func submit(_ unit: Unit) {
    let starts = state.withLock { state in
      state.queue.append(unit)
      defer { state.isDraining = true }
      return !state.isDraining
    }
    if starts { thread.async { self.drain() } }
  }

  /// Submits changes and returns when they are durable.
  ///
  /// - Throws: ``RunStore/RunStoreError`` if they were given up.
  func commit(_ changes: [RunChange], project: String) async throws {
    try await withCheckedThrowingContinuation { continuation in
      submit(
        Unit(changes: changes, project: project, bytes: 0) { result in
          continuation.resume(with: result.mapError { $0 as any Error })
        }
      )
    }
  }

  /// Returns when all that was submitted before is durable or was given up.
  package func flush() async {
    await withCheckedContinuation { continuation in
      submit(Unit(changes: [], project: "", bytes: 0) { _ in continuation.resume() })
    }
  }

  /// Returns when there is room for a report of this size, and takes it.
  ///
  /// It is given back when a unit of as many bytes was committed, or by ``release(_:)``. A report that is larger than the bound
  /// waits until nothing else is there.
  package func reserve(_ bytes: Int) async {
    await withCheckedContinuation { continuation in
      let hasRoom = state.withLock { state in
        guard state.waiters.isEmpty, fits(bytes, state) else {
          state.waiters.append((bytes, continuation))
          return false
        }
        state.bytes += bytes
        return true
      }
      if hasRoom { continuation.resume() }
    }
  }

  private func fits(_ bytes: Int, _ state: State) -> Bool {
    state.bytes == 0 || state.bytes + bytes <= maximumPendingBytes
  }

  private func drain() {
    while let group = nextGroup() {
      commit(group)
      release(group.reduce(0) { $0 + $1.bytes })
    }
  }

  private func nextGroup() -> [Unit]? {
    state.withLock { state in
      guard !state.queue.isEmpty else {
        state.isDraining = false
        return nil
      }
      var bytes = 0
      let end =
        state.queue.prefix(Self.maximumGroup).firstIndex { unit in
          bytes += unit.bytes
          return bytes > Self.maximumGroupBytes
        } ?? Swift.min(state.queue.count, Self.maximumGroup)
      let count = Swift.max(end, 1)
      defer { state.queue.removeFirst(count) }
      return Array(state.queue[..<count])
    }
  }

  private func commit(_ group: [Unit]) {
    do throws(RunStoreError) {
      let cursors = try store.commit(group.flatMap(\.changes))
      failures.succeeded()
      publish(group, cursors)
      for unit in group { unit.completion(.success(())) }
    } catch {
      guard group.count > 1 else {
        // What is wrong with one run's reports its client hears.
        if case .unavailable = error { failures.failed(error) }
        for unit in group { unit.completion(.failure(error)) }
        return
      }
      // One bad change must not take the other runs of its group down: each tries again alone. The store
      // refuses what follows a lost report, so a producer's reports are kept up to the first lost one.
      for unit in group { commit([unit]) }
    }
  }

  private func publish(_ group: [Unit], _ cursors: [AlertCursor]) {
    var next = cursors.makeIterator()
    var stored: [StoredTransition] = []
    var hasSnapshot = false
    for unit in group {
      for change in unit.changes {
        hasSnapshot = hasSnapshot || change.endsWithSnapshot
        for transition in change.transitions {
          guard let cursor = next.next() else { continue }
          stored.append(
            StoredTransition(cursor: cursor, project: unit.project, transition: transition)
          )
        }
      }
    }
    feed.publish(stored)
    if hasSnapshot { onSnapshot() }
  }

  /// Gives back what was reserved.
  package func release(_ bytes: Int) {
    guard bytes > 0 else { return }
    let admitted = state.withLock { state in
      state.bytes -= bytes
      var admitted: [CheckedContinuation<Void, Never>] = []
      while let next = state.waiters.first, fits(next.bytes, state) {
        state.waiters.removeFirst()
        state.bytes += next.bytes
        admitted.append(next.continuation)
      }
      return admitted
    }
    for continuation in admitted { continuation.resume() }
  }
}

extension RunChange {
  /// The alert transitions in it, in order.
  fileprivate var transitions: [AlertTransition] {
    switch self {
    case .report(let accepted): accepted.transitions
    case .transitions(let transitions): transitions
    case .refusal, .finish, .snapshot: []
    }
  }

  /// Whether it lets the store seal: a snapshot, or the end of a run.
  fileprivate var endsWithSnapshot: Bool {
    switch self {
    case .report(let accepted): accepted.snapshot != nil
    case .snapshot, .finish: true
    case .refusal, .transitions: false
    }
  }
}
