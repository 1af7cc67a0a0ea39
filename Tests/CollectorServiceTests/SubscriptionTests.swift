import CollectorService
import CollectorTesting
import GRPCCore
import GRPCInProcessTransport
import GRPCProtobuf
import Query
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryTesting
import TelemetryWire
import Testing

@Suite("Subscribers of alerts", .timeLimit(.minutes(1)))
struct SubscriptionTests {
  @Test("a subscriber first gets the open alerts, then is told that it is live, then transitions")
  func openAlertsFirst() async throws {
    let first = try RunBuilder(run: "first")
    let second = try RunBuilder(run: "second")
    try await withCollectorOnDisk { harness in
      for run in [first, second] { _ = try await harness.ingest.register(run) }
      _ = try await harness.ingest.report([first.report(1, loss: .nan)], for: first)
      try await harness.alerts.subscribeAlerts(.init()) { response in
        var messages = response.messages.makeAsyncIterator()
        #expect(try await messages.next()?.openAlert.runID == "first")
        #expect(try await messages.next()?.caughtUp.cursor == 1)
        _ = try await harness.ingest.report([second.report(1, loss: .nan)], for: second)
        let live = try await messages.next()?.transition
        #expect(live?.alert.runID == "second")
        #expect(live?.cursor == 2)
      }
    }
  }

  @Test("a subscriber that resumes from a cursor misses nothing and gets nothing twice")
  func resume() async throws {
    try await withCollectorOnDisk { harness in
      for index in 0..<5 {
        let run = try RunBuilder(run: "r\(index)")
        _ = try await harness.ingest.register(run)
        _ = try await harness.ingest.report([run.report(1, loss: .nan)], for: run)
      }
      try await harness.alerts.subscribeAlerts(.with { $0.cursor = 2 }) { response in
        var runs: [String] = []
        for try await message in response.messages {
          if case .caughtUp(let point)? = message.event {
            #expect(point.cursor == 5)
            break
          }
          runs.append(message.transition.alert.runID)
        }
        #expect(runs == ["r2", "r3", "r4"])
      }
    }
  }

  @Test("filters by run, project, rule and severity all have to match")
  func filters() async throws {
    let run = try RunBuilder(run: "wanted", project: "lm")
    let other = try RunBuilder(run: "other", project: "vision")
    try await withCollectorOnDisk { harness in
      for run in [run, other] {
        _ = try await harness.ingest.register(run)
        _ = try await harness.ingest.report([run.report(1, loss: .nan)], for: run)
      }
      func open(_ request: Gradwatch_V1_SubscribeAlertsRequest) async throws -> [String] {
        try await harness.alerts.subscribeAlerts(request) { response in
          var runs: [String] = []
          for try await message in response.messages {
            guard case .openAlert(let alert)? = message.event else { return runs }
            runs.append(alert.runID)
          }
          return runs
        }
      }
      #expect(try await open(.with { $0.runIds = ["wanted"] }) == ["wanted"])
      #expect(try await open(.with { $0.runIds = ["wanted", "unknown"] }) == ["wanted"])
      #expect(try await open(.with { $0.projects = ["vision"] }) == ["other"])
      #expect(
        try await open(.with { ($0.runIds, $0.projects) = (["other"], ["vision", "lm"]) }) == [
          "other"
        ]
      )
      let error = await #expect(throws: RPCError.self) {
        _ = try await open(.with { $0.runIds = (0...1000).map { "run \($0)" } })
      }
      #expect(error?.message == "run_ids: expected at most 1000, found 1001")
      for request in [
        .with { $0.rules = (0...1000).map { "rule_\($0)" } },
        .with { $0.minimumSeverity = .UNRECOGNIZED(9) },
      ] as [Gradwatch_V1_SubscribeAlertsRequest] {
        let error = await #expect(throws: RPCError.self) { _ = try await open(request) }
        #expect(error?.code == .invalidArgument)
      }
      #expect(try await open(.with { $0.rules = ["stalled_run"] }) == [])
      #expect(try await open(.with { $0.minimumSeverity = .critical }).count == 2)
      #expect(
        try await open(.with { ($0.runIds, $0.projects) = (["wanted"], ["vision"]) }) == []
      )
    }
  }

  @Test("filters hold for transitions as they do for open alerts")
  func filteredTransitions() async throws {
    let runs = try [
      RunBuilder(run: "wanted", project: "lm"), RunBuilder(run: "other", project: "vision"),
    ]
    try await withCollectorOnDisk { harness in
      for run in runs {
        _ = try await harness.ingest.register(run)
        _ = try await harness.ingest.report([run.report(1, loss: .nan)], for: run)
      }
      func changed(_ request: Gradwatch_V1_SubscribeAlertsRequest) async throws -> [String] {
        try await harness.alerts.subscribeAlerts(request) { response in
          var runs: [String] = []
          for try await message in response.messages {
            guard case .transition(let transition)? = message.event else { return runs }
            runs.append(transition.alert.runID)
          }
          return runs
        }
      }
      #expect(try await changed(.with { $0.cursor = 0 }) == ["wanted", "other"])
      #expect(try await changed(.with { ($0.cursor, $0.projects) = (0, ["vision"]) }) == ["other"])
      #expect(try await changed(.with { ($0.cursor, $0.runIds) = (0, ["wanted"]) }) == ["wanted"])
      #expect(try await changed(.with { ($0.cursor, $0.rules) = (0, ["stalled_run"]) }) == [])
    }
  }

  @Test("a subscriber that falls behind what is held is cut off with the cursor to resume from")
  func slowSubscriber() async throws {
    var options = CollectorOptions()
    options.alertFeedCapacity = 2
    let alert = Alert.plain(run: RunID(stored: "r"), producer: ProducerID(stored: "p0"), rule: "a")
    try await withCollectorOnDisk(options: options) { harness in
      let error = await #expect(throws: RPCError.self) {
        try await harness.alerts.subscribeAlerts(.init()) { response in
          var messages = response.messages.makeAsyncIterator()
          #expect(try await messages.next()?.caughtUp.cursor == 0)
          // As one commit with more transitions than the feed holds would.
          harness.collector.feed.publish(
            (1...4).map { cursor in
              StoredTransition(
                cursor: AlertCursor(cursor),
                project: "p",
                transition: AlertTransition(alert: alert, from: nil, step: 0, at: alert.startedAt)
              )
            }
          )
          while try await messages.next() != nil {}
        }
      }
      #expect(error?.code == .resourceExhausted)
      let info = try errorInfo(of: error)
      #expect(info?.reason == "SLOW_SUBSCRIBER")
      #expect(info?.metadata["cursor"] == "0")
    }
  }

  @Test("a subscriber that resumes where runs were deleted since goes on behind them")
  func resumeBehindDeletedRuns() async throws {
    var options = CollectorOptions()
    options.alertFeedCapacity = 2
    let runs = try ["kept", "gone", "gone too", "gone as well"].map { try RunBuilder(run: $0) }
    try await withCollectorOnDisk(options: options) { harness in
      for run in runs {
        _ = try await harness.ingest.register(run)
        _ = try await harness.ingest.report([run.report(1, loss: .nan)], for: run)
      }
      for run in runs.dropFirst() {
        _ = try await harness.admin.deleteRun(
          .with { ($0.runID, $0.force) = (run.registration.run.rawValue, true) }
        )
      }
      try await harness.alerts.subscribeAlerts(.with { $0.cursor = 1 }) { response in
        var messages = response.messages.makeAsyncIterator()
        #expect(try await messages.next()?.caughtUp.cursor == 4)
        let late = try RunBuilder(run: "late")
        _ = try await harness.ingest.register(late)
        _ = try await harness.ingest.report([late.report(1, loss: .nan)], for: late)
        let live = try await messages.next()?.transition
        #expect(live?.alert.runID == "late")
        #expect(live?.cursor == 5)
      }
    }
  }

  @Test("a cursor of a database that was put back to an earlier state goes on with what is new")
  func resumeAfterRestoring() async throws {
    let run = try RunBuilder(run: "r")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      try await harness.alerts.subscribeAlerts(.with { $0.cursor = 99 }) { response in
        var messages = response.messages.makeAsyncIterator()
        #expect(try await messages.next()?.caughtUp.cursor == 0)
        _ = try await harness.ingest.report([run.report(1, loss: .nan)], for: run)
        #expect(try await messages.next()?.transition.cursor == 1)
      }
    }
  }

  @Test("a collector that shuts down ends subscriptions with a status that says so")
  func shutdown() async throws {
    try await withCollectorOnDisk { harness in
      let error = await #expect(throws: RPCError.self) {
        try await harness.alerts.subscribeAlerts(.init()) { response in
          var messages = response.messages.makeAsyncIterator()
          #expect(try await messages.next()?.caughtUp.cursor == 0)
          harness.beginShutdown()
          while try await messages.next() != nil {}
        }
      }
      #expect(error?.code == .unavailable)
      let info = try errorInfo(of: error)
      #expect(info?.reason == "SHUTTING_DOWN")
    }
  }

  @Test("an acknowledged alert stays acknowledged, says by whom, and may be acknowledged again")
  func acknowledge() async throws {
    let run = try RunBuilder(run: "r")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      _ = try await harness.ingest.report([run.report(1, loss: .nan)], for: run)
      let listed = try await harness.query.listAlerts(.with { $0.runID = "r" })
      let id = try #require(listed.alerts.first?.alertID)
      for person in ["ada", "grace"] {
        let response = try await harness.alerts.acknowledgeAlert(
          .with { ($0.alertID, $0.acknowledgedBy) = (id, person) }
        )
        #expect(response.alert.state == .acknowledged)
        #expect(response.alert.acknowledgedBy == "ada")
      }
      let stored = try await harness.query.listAlerts(.with { $0.states = [.acknowledged] })
      #expect(stored.alerts.map(\.alertID) == [id])
      let missing = await #expect(throws: RPCError.self) {
        _ = try await harness.alerts.acknowledgeAlert(
          .with { ($0.alertID, $0.acknowledgedBy) = ("0000000000000000", "ada") }
        )
      }
      #expect(missing?.code == .notFound)
    }
  }
}
