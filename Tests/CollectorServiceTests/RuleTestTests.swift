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

@Suite("Rules that are tried on a recorded run", .timeLimit(.minutes(1)))
struct RuleTestTests {
  private typealias Harness = CollectorHarness<InProcessTransport.Client>

  private func test(
    _ harness: Harness,
    _ rules: Gradwatch_V1_RuleSet?
  ) async throws -> (alerts: [Gradwatch_V1_TestedAlert], run: Gradwatch_V1_TestedRun) {
    try await harness.alerts.testRules(
      .with {
        $0.runID = "r"
        if let rules { $0.rules = rules }
      }
    ) { response in
      var alerts: [Gradwatch_V1_TestedAlert] = []
      for try await message in response.messages {
        switch message.event {
        case .alert(let alert): alerts.append(alert)
        case .run(let run): return (alerts, run)
        case nil: break
        }
      }
      return (alerts, .init())
    }
  }

  @Test("raise what was raised if they are the same, sealed or not", arguments: [true, false])
  func unchanged(isSealed: Bool) async throws {
    let run = try FaultyRun()
    var options = CollectorOptions()
    options.snapshotInterval = 32
    try await withTemporaryFolder { [options] folder in
      let store = try SQLiteRunStore(path: "\(folder)/db")
      try await withCollector(store: store, options: options) { harness in
        try await harness.send(run.reports, of: run)
        if isSealed {
          _ = try await harness.ingest.finishRun(
            .with { ($0.runID, $0.status) = ("r", .finished) }
          )
          while try store.sealNext() {}
          // Only what no snapshot covers may be left, and the end of a run takes one.
          let left = try store.queryOnWriter("SELECT count(*) FROM log")
          #expect(left == ["0"])
        }
        let (alerts, totals) = try await test(harness, nil)
        #expect(totals.reports == 80)
        #expect(!alerts.isEmpty)
        #expect(alerts.allSatisfy { $0.comparison == .same })
        // As text, because NaN is not equal to itself; the test's clock stands still, so even times agree.
        var options = JSONEncodingOptions()
        options.useDeterministicOrdering = true
        for tested in alerts {
          let raised = try tested.alert.jsonString(options: options)
          let recorded = try tested.recorded.jsonString(options: options)
          #expect(raised == recorded)
        }
        let story = try await harness.story()
        #expect(totals.transitions == UInt64(story.count))
      }
    }
  }

  @Test("end at the last step that there can be")
  func lastStep() async throws {
    let run = try RunBuilder(run: "r")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      _ = try await harness.ingest.report([run.report(1, step: Step.maximum)], for: run)
      #expect(try await test(harness, nil).run.reports == 1)
    }
  }

  @Test("say nothing of what only all ranks together raise")
  func ranks() async throws {
    try await withCollectorOnDisk { harness in
      for index in 0..<4 as Range<UInt32> {
        let rank = try RunBuilder(run: "r", producer: "rank-\(index)", rank: (index, of: 4))
        _ = try await harness.ingest.register(rank)
        let reports = (0..<10 as Range<UInt64>).map {
          rank.report($0 + 1, scale: index == 2 ? 6 : 1, loss: 1 / (1 + Double($0)))
        }
        _ = try await harness.ingest.report(reports, for: rank)
      }
      let recorded = try await harness.query.listAlerts(.with { $0.rules = ["rank_divergence"] })
      #expect(recorded.alerts.count == 1)
      let alerts = try await test(harness, nil).alerts
      #expect(alerts.allSatisfy { $0.comparison == .same })
      #expect(!alerts.contains { $0.alert.rule == "rank_divergence" })
    }
  }

  @Test("show what is added, removed and changed, and store nothing")
  func differences() async throws {
    let run = try FaultyRun()
    try await withCollectorOnDisk { harness in
      _ = try await harness.alerts.setRules(
        .with {
          ($0.project, $0.rules) = ("tests", .switched(["non_finite_gradient": false]))
        }
      )
      try await harness.send(run.reports, of: run)
      let before = try await harness.story()
      var tried = Gradwatch_V1_RuleSet.switched(["exploding_gradient": false])
      tried.rules.append(
        .with {
          $0.rule = "non_finite_loss"
          $0.severities = [.with { ($0.from, $0.to) = (.critical, .info) }]
        }
      )
      let (alerts, _) = try await test(harness, tried)
      func comparisons(_ rule: String) -> Set<Gradwatch_V1_Comparison> {
        Set(alerts.filter { $0.alert.rule == rule }.map(\.comparison))
      }
      #expect(comparisons("exploding_gradient") == [.removed])
      #expect(comparisons("non_finite_loss") == [.changed])
      // The project's set lies below the one that is tried.
      #expect(comparisons("non_finite_gradient") == [])
      tried.rules.append(.with { ($0.rule, $0.enabled) = ("non_finite_gradient", true) })
      let (more, _) = try await test(harness, tried)
      #expect(more.contains { $0.comparison == .added && $0.alert.rule == "non_finite_gradient" })
      let after = try await harness.story()
      #expect(after == before)
      let stored = try await harness.alerts.listRules(.with { $0.runID = "r" })
      #expect(stored.set == .init())
    }
  }

  @Test("are refused for a run, a producer or rules that do not exist")
  func refused() async throws {
    let run = try FaultyRun()
    try await withCollectorOnDisk { harness in
      try await harness.send([], of: run)
      func code(_ request: Gradwatch_V1_TestRulesRequest) async -> RPCError.Code? {
        do {
          try await harness.alerts.testRules(request) { response in
            for try await _ in response.messages {}
          }
          return nil
        } catch {
          return (error as? RPCError)?.code
        }
      }
      let missing = await code(.with { $0.runID = "missing" })
      #expect(missing == .notFound)
      let producer = await code(.with { ($0.runID, $0.producerID) = ("r", "p9") })
      #expect(producer == .notFound)
      let rules = await code(.with { ($0.runID, $0.rules) = ("r", .switched(["nope": true])) })
      #expect(rules == .invalidArgument)
    }
  }
}
