import CollectorService
import CollectorTesting
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
        onSnapshot: {}
      )
      let results = Mutex<[String: Bool]>([:])
      func submit(_ run: RunBuilder, _ sequence: UInt64) {
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
      submit(good, 1)
      submit(bad, 7)
      submit(good, 2)
      submit(bad, 8)
      await committer.flush()
      #expect(
        results.withLock { $0 } == ["good 1": true, "bad 7": false, "good 2": true, "bad 8": false]
      )
      #expect(committer.pendingBytes == 0)
      try store.close()
    }
  }

  @Test("whoever reads waits while more is pending than the bound, until half of it is durable")
  func backPressure() async throws {
    try await withTemporaryFolder { folder in
      let disk = try SQLiteRunStore(path: "\(folder)/db")
      let committer = Committer(
        store: disk,
        feed: AlertFeed(after: .start, capacity: 4),
        maximumPendingBytes: 10,
        onSnapshot: {}
      )
      let durable = Mutex(false)
      committer.submit(
        .init(changes: [], project: "p", bytes: 100) { _ in durable.withLock { $0 = true } }
      )
      await committer.waitForRoom()
      #expect(durable.withLock { $0 })
      #expect(committer.pendingBytes == 0)
      try disk.close()
    }
  }
}
