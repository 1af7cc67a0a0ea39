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

@Suite("Upkeep", .timeLimit(.minutes(1)))
struct AdminTests {
  private typealias Harness = CollectorHarness<InProcessTransport.Client>

  /// Registers runs of a project that report once and end 10 seconds apart; the last one goes on.
  private static func fill(_ harness: Harness, _ project: String, _ names: [String]) async throws {
    for name in names {
      let run = try RunBuilder(run: name, project: project)
      _ = try await harness.ingest.register(run)
      _ = try await harness.ingest.report([run.report(1)], for: run)
      if name != names.last {
        _ = try await harness.ingest.finishRun(
          .with { ($0.runID, $0.status) = (name, .finished) }
        )
      }
      harness.clock.advance(seconds: 10)
    }
  }

  private static func runs(_ harness: Harness) async throws -> Set<String> {
    Set(try await harness.query.listRuns(.init()).runs.map(\.runID))
  }

  private static func words(_ pruned: [Gradwatch_V1_PrunedRun]) -> [String] {
    pruned.map { "\($0.run.runID) \($0.limit)" }
  }

  @Test("pruning names runs, and deletes them unless it is a dry run; runs in progress stay")
  func prune() async throws {
    try await withCollectorOnDisk { harness in
      try await Self.fill(harness, "a", ["a1", "a2", "a3", "a4"])
      try await Self.fill(harness, "b", ["b1", "b2"])
      // a1 ended 60 seconds ago.
      var request = Gradwatch_V1_PruneRunsRequest.with {
        $0.retention.maximumAgeSeconds = 55
        $0.retention.maximumRuns = 2
        $0.dryRun = true
      }
      let named = try await harness.admin.pruneRuns(request).pruned
      #expect(Self.words(named) == ["a1 age", "a2 runs"])
      #expect(named[0].run.project == "a")
      #expect(named[0].run.reports == 1)
      #expect(named[0].run.bytes > 100)
      #expect(named[0].run.hasEndedAt)
      #expect(try await Self.runs(harness).count == 6)
      request.dryRun = false
      request.project = "b"
      request.retention.maximumRuns = 0
      #expect(Self.words(try await harness.admin.pruneRuns(request).pruned) == ["b1 runs"])
      request.project = ""
      request.retention = .with { $0.maximumBytes = 0 }
      #expect(
        Self.words(try await harness.admin.pruneRuns(request).pruned)
          == ["a1 bytes", "a2 bytes", "a3 bytes"]
      )
      #expect(try await Self.runs(harness) == ["a4", "b2"])
      // Nothing was set.
      #expect(try await harness.admin.pruneRuns(.init()).pruned.isEmpty)
    }
  }

  @Test("a run that nothing was heard of for a week is pruned, unless it reports in between")
  func silent() async throws {
    try await withCollectorOnDisk { harness in
      try await Self.fill(harness, "a", ["a1", "a2"])
      let back = try RunBuilder(run: "back", project: "a")
      _ = try await harness.ingest.register(back)
      harness.clock.advance(seconds: Retention.silence)
      _ = try await harness.ingest.report([back.report(1)], for: back)
      var request = Gradwatch_V1_PruneRunsRequest.with {
        $0.retention.maximumRuns = 0
        $0.dryRun = true
      }
      let named = try await harness.admin.pruneRuns(request).pruned
      try #require(Self.words(named) == ["a1 runs", "a2 runs"])
      #expect(named[1].run.endedAt.seconds == named[0].run.endedAt.seconds + 10)
      request.dryRun = false
      #expect(try await harness.admin.pruneRuns(request).pruned == named)
      #expect(try await Self.runs(harness) == ["back"])
    }
  }

  @Test("a run that is registered again is not silent")
  func registeredAgain() async throws {
    try await withCollectorOnDisk { harness in
      try await Self.fill(harness, "a", ["a1"])
      harness.clock.advance(seconds: 2 * Retention.silence)
      _ = try await harness.ingest.register(RunBuilder(run: "a1", project: "a"))
      let request = Gradwatch_V1_PruneRunsRequest.with { $0.retention.maximumRuns = 0 }
      #expect(try await harness.admin.pruneRuns(request).pruned.isEmpty)
      harness.clock.advance(seconds: Retention.silence + 1)
      #expect(Self.words(try await harness.admin.pruneRuns(request).pruned) == ["a1 runs"])
    }
  }

  @Test("no run is silent before the collector has listened for a day")
  func startedAgain() async throws {
    try await withTemporaryFolder { folder in
      let first = try SQLiteRunStore(path: "\(folder)/db")
      try await withCollector(store: first) { harness in
        harness.clock.advance(seconds: -2 * Retention.silence)
        try await Self.fill(harness, "a", ["a1"])
      }
      let second = try SQLiteRunStore(path: "\(folder)/db")
      try await withCollector(store: second) { harness in
        let request = Gradwatch_V1_PruneRunsRequest.with { $0.retention.maximumRuns = 0 }
        harness.clock.advance(seconds: 86_399)
        let early = try await harness.admin.pruneRuns(request).pruned
        #expect(early.isEmpty)
        harness.clock.advance(seconds: 1)
        let late = try await harness.admin.pruneRuns(request).pruned
        #expect(Self.words(late) == ["a1 runs"])
      }
    }
  }

  @Test("retention is applied when it is set, and every hour by the collector's clock")
  func retention() async throws {
    try await withCollectorOnDisk { harness in
      _ = try await harness.collector.removal.tick()
      try await Self.fill(harness, "a", ["a1", "a2", "a3"])
      try await Self.fill(harness, "b", ["b1", "b2", "b3"])
      let set = try await harness.admin.setRetention(
        .with {
          $0.project = "a"
          $0.retention.maximumRuns = 2
        }
      )
      #expect(Self.words(set.pruned) == ["a1 runs"])
      let standard = try await harness.admin.setRetention(
        .with { $0.retention.maximumAgeSeconds = 600 }
      )
      #expect(standard.pruned.isEmpty)
      harness.clock.advance(seconds: 3000)
      let early = try await harness.collector.removal.tick()
      #expect(early == [], "the hour is not over")
      #expect(try await Self.runs(harness).count == 5)
      harness.clock.advance(seconds: 600)
      // The collector's own tick may have been quicker.
      _ = try await harness.collector.removal.tick()
      while try await Self.runs(harness) != ["a2", "a3", "b3"] { await Task.yield() }
      let list = try await harness.admin.listRetention(.init())
      #expect(list.standard.maximumAgeSeconds == 600)
      #expect(!list.standard.hasMaximumRuns)
      #expect(list.projects.map(\.project) == ["a"])
      #expect(list.projects[0].retention.maximumRuns == 2)
      _ = try await harness.admin.setRetention(.init())
      _ = try await harness.admin.setRetention(.with { $0.project = "a" })
      let none = try await harness.admin.listRetention(.init())
      #expect(!none.hasStandard && none.projects.isEmpty)
    }
  }

  @Test("a clock that is set wrong deletes nothing, nor within the hour after it is set right")
  func jumpingClock() async throws {
    try await withCollectorOnDisk { harness in
      let day = 86_400.0
      let removal = harness.collector.removal
      _ = try await removal.tick()
      try await Self.fill(harness, "a", ["a1", "a2"])
      _ = try await harness.admin.setRetention(
        .with { $0.retention.maximumAgeSeconds = 30 * day }
      )
      for jump in [400 * day, -400 * day, -30 * day, 30 * day] {
        harness.clock.advance(seconds: 3700)
        harness.clock.jump(seconds: jump)
        #expect(try await removal.tick() == [])
        harness.clock.advance(seconds: 3000)
        #expect(try await removal.tick() == [])
      }
      #expect(try await Self.runs(harness) == ["a1", "a2"])
      harness.clock.advance(seconds: 30 * day)
      // The collector's own tick may have been quicker.
      _ = try await removal.tick()
      while try await Self.runs(harness) != [] { await Task.yield() }
    }
  }

  @Test(
    "limits that make no sense are refused, naming the field",
    arguments: [-1, .nan, .infinity]
  )
  func refusals(age: Double) async throws {
    try await withCollectorOnDisk { harness in
      let calls: [@Sendable () async throws -> Void] = [
        {
          _ = try await harness.admin.setRetention(
            .with { $0.retention.maximumAgeSeconds = age }
          )
        },
        {
          _ = try await harness.admin.pruneRuns(.with { $0.retention.maximumAgeSeconds = age })
        },
        { _ = try await harness.admin.setRetention(.with { $0.project = "a\u{0}" }) },
        { _ = try await harness.admin.deleteRun(.init()) },
      ]
      for call in calls {
        let error = await #expect(throws: RPCError.self) { try await call() }
        #expect(error?.code == .invalidArgument)
      }
      let settings = try await harness.admin.listRetention(.init())
      #expect(!settings.hasStandard)
    }
  }

  @Test("statistics count what the collector does and has done")
  func statistics() async throws {
    let run = try RunBuilder(run: "r")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      try await withTelemetryStream(harness.ingest, run.registration) { stream, _ in
        var wrong = run.report(3)
        wrong.gradients.norm = [1]
        for report in [run.report(1), run.report(2), wrong, run.report(2), run.report(9)] {
          stream.send(report)
        }
        while let message = try await stream.next() {
          if case .gap? = message.event { break }
        }
        harness.clock.advance(seconds: 30)
        let stats = try await harness.admin.getStats(.init())
        #expect(stats.uptimeSeconds == 30)
        #expect(stats.startedAt.seconds == 1_700_000_000)
        #expect(stats.reports.accepted == 2)
        #expect(stats.reports.refused == 1)
        #expect(stats.reports.duplicate == 1)
        #expect(stats.reports.early == 1)
        #expect(stats.streams == 1)
        #expect(stats.subscribers == 0)
        #expect(stats.runs == 1)
        #expect(stats.unsealedReports == 2)
        #expect(stats.liveProducers == 1)
        #expect(stats.maximumLiveProducers == 8192)
        #expect(stats.maximumPendingBytes == 128 << 20)
        #expect(stats.size.databaseBytes > 0)
        #expect(stats.deletionsInProgress == 0)
      }
      try await harness.alerts.subscribeAlerts(.init()) { response in
        var messages = response.messages.makeAsyncIterator()
        _ = try await messages.next()
        #expect(try await harness.admin.getStats(.init()).subscribers == 1)
      }
      let size = try await harness.admin.checkpoint(.init()).size
      #expect(size.databaseBytes > 0)
      #expect(size.writeAheadLogBytes == 0)
    }
  }
}
