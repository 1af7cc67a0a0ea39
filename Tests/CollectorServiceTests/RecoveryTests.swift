import CollectorService
import CollectorTesting
import GRPCCore
import GRPCInProcessTransport
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryTesting
import TelemetryWire
import Testing

@Suite("A collector that is stopped and started again", .timeLimit(.minutes(1)))
struct RecoveryTests {
  /// A run that explodes at step 60 and turns to NaN at 66.
  private func reports(_ run: RunBuilder) -> [StepReport] {
    (1...80 as ClosedRange<UInt64>).map { sequence in
      let step = sequence - 1
      switch step {
      case ..<60: return run.report(sequence)
      case ..<66:
        var scale: Float = 1
        for _ in 59..<step { scale *= 100 }
        return run.report(sequence, scale: scale, loss: Double(scale))
      default: return run.report(sequence, scale: .infinity, loss: .nan)
      }
    }
  }

  private func story(
    _ harness: CollectorHarness<InProcessTransport.Client>
  ) async throws
    -> [String]
  {
    try await harness.alerts.subscribeAlerts(
      .with { ($0.cursor, $0.includePending) = (0, true) }
    ) { response in
      var story: [String] = []
      for try await message in response.messages {
        guard case .transition(let transition)? = message.event else { return story }
        let alert = transition.alert
        story.append(
          "\(transition.cursor) \(alert.alertID) \(alert.rule) \(alert.severity) "
            + "\(transition.fromState)>\(alert.state) at \(transition.step)"
        )
      }
      return story
    }
  }

  @Test("tells the same story of a run as one that was never stopped, wherever the stop was")
  func sameStory() async throws {
    let run = try RunBuilder(run: "r")
    try await expectSameStory(
      of: run,
      reports(run),
      stops: [1, 15, 16, 17, 40, 61, 62, 65, 67, 79],
      rules: ["exploding_gradient", "non_finite_gradient", "non_finite_loss"]
    )
  }

  @Test("tells the same story of a run that went back to a checkpoint")
  func sameStoryAfterRewind() async throws {
    let run = try RunBuilder(run: "r")
    // Steps 0 to 65, of which the last ones explode; then again from step 50 to the end.
    let first = reports(run).prefix(66)
    let again = reports(run).dropFirst(50).map { report in
      var report = report
      report.sequence += 16
      return report
    }
    try await expectSameStory(
      of: run,
      first + again,
      stops: [60, 63, 66, 67, 68, 75, 80],
      rules: ["exploding_gradient", "non_finite_gradient", "non_finite_loss"]
    )
  }

  /// Streams reports to one collector without a stop, and to others with one, and compares all transitions.
  private func expectSameStory(
    of run: RunBuilder,
    _ reports: [StepReport],
    stops: [Int],
    rules: [String]
  ) async throws {
    var options = CollectorOptions()
    // Small, so that stops fall before, between and after snapshots.
    options.snapshotInterval = 16
    try await withTemporaryFolder { [options] folder in
      let told = LockedBox<[String]>([])
      try await withCollector(store: try SQLiteRunStore(path: "\(folder)/whole"), options: options)
      {
        harness in
        _ = try await harness.ingest.register(run)
        _ = try await harness.ingest.report(reports, for: run)
        told.value = try await story(harness)
      }
      let expected = told.value
      for rule in rules { #expect(expected.contains { $0.contains(rule) }) }

      for stop in stops {
        let path = "\(folder)/stop\(stop)"
        try await withCollector(store: try SQLiteRunStore(path: path), options: options) {
          harness in
          _ = try await harness.ingest.register(run)
          _ = try await harness.ingest.report(Array(reports[..<stop]), for: run)
        }
        try await withCollector(store: try SQLiteRunStore(path: path), options: options) {
          harness in
          let registered = try await harness.ingest.register(run)
          #expect(registered.producer.lastSequence == UInt64(stop))
          _ = try await harness.ingest.report(Array(reports[stop...]), for: run)
          told.value = try await story(harness)
        }
        #expect(told.value == expected, "stopped after report \(stop)")
      }
    }
  }

  @Test("raises no alert again that it had raised, however many of the run are open")
  func manyOpenAlerts() async throws {
    let run = try RunBuilder(run: "r")
    try await withTemporaryFolder { folder in
      let path = "\(folder)/db"
      let raised = LockedBox<[String]>([])
      try await withCollector(store: try SQLiteRunStore(path: path)) { harness in
        _ = try await harness.ingest.register(run)
        _ = try await harness.ingest.report([run.report(1, loss: .nan)], for: run)
        raised.value = try await harness.query.listAlerts(.init()).alerts.map(\.alertID)
        #expect(!raised.value.isEmpty)
      }
      let store = try SQLiteRunStore(path: path)
      var registration = run.registration
      registration.producer = Producer(id: ProducerID(stored: "another"))
      _ = try store.register(registration, at: WallTime(clamping: 1))
      _ = try store.commit([
        .transitions(
          (0..<CollectorOptions.maximumPageSize).map { number in
            var alert = Alert.plain(
              run: run.registration.run,
              producer: registration.producer.id,
              rule: "rule_\(number)"
            )
            alert.state = .firing
            return AlertTransition(alert: alert, from: nil, step: 0, at: alert.startedAt)
          }
        )
      ])
      try await withCollector(store: store) { harness in
        _ = try await harness.ingest.report([run.report(2, loss: .nan)], for: run)
        let found = try await harness.query.listAlerts(
          .with { ($0.rules, $0.pageSize) = (["non_finite_loss"], 1000) }
        )
        #expect(found.alerts.map(\.alertID) == raised.value)
      }
    }
  }

  @Test("still knows that an alert was acknowledged")
  func acknowledgement() async throws {
    let run = try RunBuilder(run: "r")
    try await withTemporaryFolder { folder in
      let path = "\(folder)/db"
      try await withCollector(store: try SQLiteRunStore(path: path)) { harness in
        _ = try await harness.ingest.register(run)
        _ = try await harness.ingest.report([run.report(1, loss: .nan)], for: run)
        let alerts = try await harness.query.listAlerts(.init()).alerts
        _ = try await harness.alerts.acknowledgeAlert(
          .with { ($0.alertID, $0.acknowledgedBy) = (alerts[0].alertID, "ada") }
        )
      }
      try await withCollector(store: try SQLiteRunStore(path: path)) { harness in
        _ = try await harness.ingest.report([run.report(2, loss: .nan)], for: run)
        let alerts = try await harness.query.listAlerts(.init()).alerts
        #expect(alerts.map(\.state) == [.acknowledged])
        #expect(alerts.map(\.acknowledgedBy) == ["ada"])
      }
    }
  }

  @Test("raises a stalled run once, and resolves it when the run goes on")
  func stalled() async throws {
    let run = try RunBuilder(run: "r")
    var options = CollectorOptions()
    options.tickSeconds = 0.01
    try await withCollectorOnDisk(options: options) { harness in
      _ = try await harness.ingest.register(run)
      _ = try await harness.ingest.report([run.report(1), run.report(2)], for: run)
      try await harness.alerts.subscribeAlerts(.with { $0.rules = ["stalled_run"] }) { response in
        var messages = response.messages.makeAsyncIterator()
        #expect(try await messages.next()?.caughtUp != nil)
        // The first tick after the last report begins the wait, so the clock may only move after it.
        await harness.collector.producers.tick()
        harness.clock.advance(seconds: 3600)
        let fired = try await messages.next()?.transition.alert
        #expect(fired?.state == .firing)
        _ = try await harness.ingest.report([run.report(3)], for: run)
        let resolved = try await messages.next()?.transition.alert
        #expect(resolved?.state == .resolved)
        #expect(resolved?.alertID == fired?.alertID)
      }
    }
  }

  @Test(
    "a producer that was silent for a day is forgotten and what it left sealed, and it goes on where it was"
  )
  func silent() async throws {
    let run = try RunBuilder(run: "r")
    var options = CollectorOptions()
    // Only the ticks of this test.
    options.tickSeconds = 1e6
    try await withCollectorOnDisk(options: options) { harness in
      let producers = harness.collector.producers
      _ = try await harness.ingest.register(run)
      _ = try await harness.ingest.report([run.report(1), run.report(2)], for: run)
      await producers.tick()
      harness.clock.advance(seconds: 86_000)
      await producers.tick()
      #expect(try await harness.admin.getStats(.init()).liveProducers == 1)
      // A tick waits for no disk.
      while try await harness.query.listAlerts(.init()).alerts.isEmpty { await Task.yield() }
      harness.clock.advance(seconds: 401)
      await producers.tick()
      #expect(try await harness.admin.getStats(.init()).liveProducers == 1)
      // The clock might have jumped.
      harness.clock.advance(seconds: 3601)
      #expect(try await harness.admin.getStats(.init()).unsealedReports == 2)
      // It is forgotten when a snapshot of all that it had is durable, of which a tick doesn't wait for.
      while try await harness.admin.getStats(.init()).liveProducers == 1 { await producers.tick() }
      while try await harness.admin.getStats(.init()).unsealedReports > 0 { await Task.yield() }
      _ = try await harness.ingest.report([run.report(3)], for: run)
      #expect(try await harness.admin.getStats(.init()).liveProducers == 1)
      let alerts = try await harness.query.listAlerts(.init()).alerts
      #expect(alerts.map(\.rule) == ["stalled_run"])
      #expect(alerts.map(\.state) == [.resolved])
    }
  }

  @Test(
    "detectors in memory are bounded by their tensors: who is idle is forgotten, else a newcomer refused"
  )
  func liveTensors() async throws {
    var options = CollectorOptions()
    // Three layers and six tensors are a place.
    options.maximumLiveTensors = 2 * 9
    options.tickSeconds = 1e6
    try await withCollectorOnDisk(options: options) { harness in
      let runs = try (0..<3).map { try RunBuilder(run: "r\($0)") }
      for run in runs { _ = try await harness.ingest.register(run) }
      for run in runs {
        harness.clock.advance(seconds: 1)
        _ = try await harness.ingest.report([run.report(1)], for: run)
        #expect(try await harness.admin.getStats(.init()).liveProducers <= 2)
      }
      // The first one was forgotten, and is rebuilt.
      _ = try await harness.ingest.report([runs[0].report(2)], for: runs[0])
      let large = try RunBuilder(run: "large", layers: 7)
      _ = try await harness.ingest.register(large)
      let error = await #expect(throws: RPCError.self) {
        _ = try await harness.ingest.report([large.report(1)], for: large)
      }
      #expect(error?.code == .resourceExhausted)
      #expect(error?.message == "tensors: all 18 places are taken")
    }
  }
}
