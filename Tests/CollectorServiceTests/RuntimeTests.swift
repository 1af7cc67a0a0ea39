import CollectorService
import CollectorTesting
import Logging
import Query
import RunStore
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

@Suite("Signal and committer", .timeLimit(.minutes(1)))
struct RuntimeTests {
  @Test("a signal raised before the wait is not lost, and many are one")
  func signalIsRemembered() async {
    let signal = Signal()
    signal.raise()
    signal.raise()
    await signal.wait()
    // The second wait must block until the next raise, which the child task gives.
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await signal.wait() }
      signal.raise()
      await group.waitForAll()
    }
  }

  @Test("a cancelled wait returns, and later ones return at once")
  func signalIsCancellable() async {
    let signal = Signal()
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await signal.wait()
        await signal.wait()
      }
      group.cancelAll()
      await group.waitForAll()
    }
  }

  @Test("one run whose commit fails takes no other run of its group down")
  func failureIsIsolated() async throws {
    try await withTemporaryFolder { folder in
      let store = try SQLiteRunStore(path: "\(folder)/db")
      let good = try RunBuilder(run: "good")
      let bad = try RunBuilder(run: "bad")
      for run in [good, bad] {
        _ = try store.register(run.registration, at: WallTime(clamping: 1))
      }
      let feed = AlertFeed(after: .start, capacity: 4)
      let committer = Committer(
        store: store,
        feed: feed,
        maximumPendingBytes: 1 << 20,
        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
        onSnapshot: {}
      )
      let results = Mutex<[String: Bool]>([:])
      func submit(_ run: RunBuilder, _ sequence: UInt64) async {
        await committer.reserve(1000)
        let name = "\(run.registration.run) \(sequence)"
        committer.submit(
          .init(
            changes: [
              .report(
                .init(
                  run: run.registration.run,
                  producer: run.registration.producer.id,
                  report: run.report(sequence),
                  receivedAt: WallTime(clamping: 1)
                )
              )
            ],
            project: "p",
            bytes: 1000
          ) { result in
            results.withLock { $0[name] = (try? result.get()) != nil }
          }
        )
      }
      await submit(good, 1)
      await submit(bad, 7)
      await submit(good, 2)
      await submit(bad, 8)
      await committer.flush()
      #expect(
        results.withLock { $0 } == ["good 1": true, "bad 7": false, "good 2": true, "bad 8": false]
      )
      // Room is given back right after the completions.
      while committer.pendingBytes > 0 { await Task.yield() }
      try store.close()
    }
  }

  @Test("an operator hears once that nothing becomes durable, and that it does again")
  func failuresAreTold() async throws {
    try await withTemporaryFolder { folder in
      let disk = try SQLiteRunStore(path: "\(folder)/db")
      let store = FaultyRunStore(disk)
      let lines = Lines()
      let committer = Committer(
        store: store,
        feed: AlertFeed(after: .start, capacity: 4),
        maximumPendingBytes: 10,
        logger: Logger(label: "test", factory: { _ in LineHandler(lines: lines) }),
        onSnapshot: {}
      )
      store.failure = .unavailable(operation: "commit", detail: "disk full")
      // One after the other, so that each is a commit.
      for _ in 0..<3 { await committer.flush() }
      store.failure = nil
      for _ in 0..<2 { await committer.flush() }
      #expect(
        lines.all.withLock { $0 } == [
          "cannot commit, failed: 1", "can commit again, failed: 2",
        ]
      )
      try disk.close()
    }
  }

  @Test("whoever reads waits until there is room, first come, first served, and the bound holds")
  func backPressure() async throws {
    try await withTemporaryFolder { folder in
      let disk = try SQLiteRunStore(path: "\(folder)/db")
      let committer = Committer(
        store: disk,
        feed: AlertFeed(after: .start, capacity: 4),
        maximumPendingBytes: 10,
        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
        onSnapshot: {}
      )
      await committer.reserve(6)
      let order = Order()
      await withTaskGroup(of: Void.self) { group in
        // 5 do not fit beside 6; 4 would, but came later; 100 never fit, and wait until they are alone.
        for (waiting, bytes) in [5, 4, 100].enumerated() {
          group.addTask {
            await committer.reserve(bytes)
            order.sizes.withLock { $0.append(bytes) }
            #expect(committer.pendingBytes <= Swift.max(10, bytes))
            committer.submit(.init(changes: [], project: "p", bytes: bytes) { _ in })
          }
          while committer.waitingCount <= waiting { await Task.yield() }
        }
        #expect(order.sizes.withLock { $0 } == [])
        committer.release(6)
        await group.waitForAll()
      }
      await committer.flush()
      #expect(Set(order.sizes.withLock { $0 }.prefix(2)) == [5, 4])
      #expect(order.sizes.withLock { $0.last } == 100)
      // Room is given back right after the completions.
      while committer.pendingBytes > 0 { await Task.yield() }
      try disk.close()
    }
  }
}

/// The sizes of reports, in the order in which there was room for them.
private final class Order: Sendable {
  let sizes = Mutex<[Int]>([])
}

/// What was logged, a line each.
private final class Lines: Sendable {
  let all = Mutex<[String]>([])
}

private struct LineHandler: LogHandler {
  let lines: Lines
  var logLevel = Logger.Level.trace
  var metadata = Logger.Metadata()

  subscript(metadataKey key: String) -> Logger.MetadataValue? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    lines.all.withLock { $0.append("\(event.message), failed: \(event.metadata?["failed"] ?? "")") }
  }
}
