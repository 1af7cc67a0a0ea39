import CollectorService
import CollectorTesting
import GRPCCore
import GRPCInProcessTransport
import GRPCProtobuf
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryTesting
import TelemetryWire
import Testing

@Suite("Rules that users change", .timeLimit(.minutes(1)))
struct RulesTests {
  private let off = Gradwatch_V1_RuleSet.switched(["exploding_gradient": false])

  @Test("hold for the runs of a project, and a run's own lie above them")
  func projectAndRun() async throws {
    let first = try FaultyRun(run: "first")
    let second = try FaultyRun(run: "second")
    let other = try FaultyRun(run: "other", project: "others")
    let off = off
    try await withCollectorOnDisk { harness in
      _ = try await harness.alerts.setRules(.with { ($0.project, $0.rules) = ("tests", off) })
      for run in [first, second, other] { try await harness.send([], of: run) }
      let set = try await harness.alerts.setRules(
        .with {
          $0.runID = "second"
          $0.rules = .switched(["exploding_gradient": true, "non_finite_loss": false])
        }
      )
      #expect(
        set.effective == .switched(["exploding_gradient": true, "non_finite_loss": false])
      )
      for run in [first, second, other] { try await harness.send(run.reports, of: run) }
      let alerts = try await harness.query.listAlerts(.init()).alerts
      func has(_ run: String, _ rule: String) -> Bool {
        alerts.contains { $0.runID == run && $0.rule == rule && $0.hasFiredStep }
      }
      #expect(!has("first", "exploding_gradient") && has("first", "non_finite_loss"))
      #expect(has("second", "exploding_gradient") && !has("second", "non_finite_loss"))
      #expect(has("other", "exploding_gradient") && has("other", "non_finite_loss"))
    }
  }

  @Test("that switch a rule off resolve its open alerts at once")
  func resolvesAtOnce() async throws {
    let run = try FaultyRun()
    let off = off
    try await withCollectorOnDisk { harness in
      try await harness.send(run.reports.prefix(64), of: run)
      let before = try await harness.query.listAlerts(.with { $0.states = [.firing] }).alerts
      #expect(before.contains { $0.rule == "exploding_gradient" })
      _ = try await harness.alerts.setRules(.with { ($0.runID, $0.rules) = ("r", off) })
      let after = try await harness.query.listAlerts(.with { $0.states = [.firing] }).alerts
      #expect(!after.contains { $0.rule == "exploding_gradient" })
    }
  }

  @Test("give the same alerts wherever the collector is stopped around the change")
  func sameStory() async throws {
    let run = try FaultyRun()
    let reports = run.reports
    let request = Gradwatch_V1_SetRulesRequest.with { ($0.runID, $0.rules) = ("r", off) }
    var options = CollectorOptions()
    options.snapshotInterval = 16
    try await withTemporaryFolder { [options] folder in
      /// Sends `parts` one after the other, each to a collector of its own; before those that are named
      /// the rules are set.
      func story(
        _ name: String,
        _ parts: [(range: Range<Int>, setsRules: Bool)]
      ) async throws
        -> [String]
      {
        let told = LockedBox<[String]>([])
        for part in parts {
          let store = try SQLiteRunStore(path: "\(folder)/\(name)")
          try await withCollector(store: store, options: options) { harness in
            if part.setsRules { _ = try await harness.alerts.setRules(request) }
            try await harness.send(reports[part.range], of: run)
            told.value = try await harness.story()
          }
        }
        return told.value
      }
      let told = LockedBox<[String]>([])
      let store = try SQLiteRunStore(path: "\(folder)/whole")
      try await withCollector(store: store, options: options) { harness in
        try await harness.send(reports[..<63], of: run)
        _ = try await harness.alerts.setRules(request)
        try await harness.send(reports[63...], of: run)
        told.value = try await harness.story()
      }
      let expected = told.value
      #expect(expected.contains { $0.contains("exploding_gradient") && $0.contains(">resolved") })
      #expect(expected.contains { $0.contains("non_finite_loss") })

      // Stopped before the change; between the change and the next report; after that report; and far
      // from it on both sides.
      let stops: [[(range: Range<Int>, setsRules: Bool)]] = [
        [(0..<63, false), (63..<80, true)],
        [(0..<63, false), (63..<63, true), (63..<80, false)],
        [(0..<63, false), (63..<64, true), (64..<80, false)],
        [(0..<5, false), (5..<63, false), (63..<70, true), (70..<80, false)],
      ]
      for (index, parts) in stops.enumerated() {
        let found = try await story("stop\(index)", parts)
        #expect(found == expected, "stops \(index)")
      }

      // The set was stored, and the collector died before it told the producer.
      _ = try await story("crash", [(0..<63, false)])
      let file = try SQLiteRunStore(path: "\(folder)/crash")
      var settings = RuleSettings(RuleID("exploding_gradient"))
      settings.isEnabled = false
      _ = try file.setRules(RuleSet([settings]), of: .run(RunID("r")))
      try file.close()
      let found = try await story("crash", [(63..<80, false)])
      #expect(found == expected)
    }
  }

  @Test("that switch a rule on keep what it has seen since over a restart")
  func switchedOn() async throws {
    let run = try FaultyRun()
    let reports = run.reports
    let off = Gradwatch_V1_SetRulesRequest.with { ($0.project, $0.rules) = ("tests", self.off) }
    let on = Gradwatch_V1_SetRulesRequest.with {
      ($0.project, $0.rules) = ("tests", .switched(["exploding_gradient": true]))
    }
    var options = CollectorOptions()
    // The last snapshot before the stop that is not the change's own is of report 32.
    options.snapshotInterval = 32
    try await withTemporaryFolder { [options] folder in
      // The second jump in a row fires, at step 61: the stop is between the two.
      func story(_ name: String, stop: Int?) async throws -> [String] {
        let told = LockedBox<[String]>([])
        let path = "\(folder)/\(name)"
        try await withCollector(store: try SQLiteRunStore(path: path), options: options) {
          harness in
          _ = try await harness.alerts.setRules(off)
          try await harness.send(reports[..<40], of: run)
          _ = try await harness.alerts.setRules(on)
          try await harness.send(reports[40..<(stop ?? 80)], of: run)
          told.value = try await harness.story()
        }
        guard let stop else { return told.value }
        try await withCollector(store: try SQLiteRunStore(path: path), options: options) {
          harness in
          try await harness.send(reports[stop...], of: run)
          told.value = try await harness.story()
        }
        return told.value
      }
      let expected = try await story("whole", stop: nil)
      #expect(expected.contains { $0.contains("exploding_gradient") })
      let found = try await story("stopped", stop: 61)
      #expect(found == expected)
    }
  }

  @Test("are replayed from the beginning with the set that held, though no snapshot was due")
  func firstReports() async throws {
    let run = try FaultyRun()
    let reports = run.reports
    let off = off
    try await withTemporaryFolder { folder in
      let path = "\(folder)/db"
      try await withCollector(store: try SQLiteRunStore(path: path)) { harness in
        _ = try await harness.alerts.setRules(.with { ($0.project, $0.rules) = ("tests", off) })
        try await harness.send(reports.prefix(70), of: run)
      }
      // Taken back while nothing runs: what was reported stays as it was judged.
      let store = try SQLiteRunStore(path: path)
      _ = try store.setRules(RuleSet(), of: .project("tests"))
      try store.close()
      try await withCollector(store: try SQLiteRunStore(path: path)) { harness in
        try await harness.send(reports.dropFirst(70), of: run)
        let rules = try await harness.firedRules()
        #expect(rules.contains("non_finite_loss"))
        let story = try await harness.story()
        #expect(!story.prefix { !$0.contains("at 70") }.contains { $0.contains("exploding") })
      }
    }
  }

  @Test("are listed with their thresholds and what is in force")
  func list() async throws {
    let run = try FaultyRun()
    try await withCollectorOnDisk { harness in
      try await harness.send([], of: run)
      let plain = try await harness.alerts.listRules(.init())
      #expect(plain.revision == 0)
      #expect(plain.rules.map(\.rule) == plain.rules.map(\.rule).sorted())
      let dead = try #require(plain.rules.first { $0.rule == "dead_relu" })
      let threshold = try #require(dead.thresholds.first)
      #expect(threshold.effective == threshold.standard && !threshold.meaning.isEmpty)
      #expect(dead.enabled && !dead.summary.isEmpty)
      let first = try await harness.alerts.setRules(
        .with {
          $0.project = "tests"
          $0.rules.rules = [
            .with { ($0.rule, $0.thresholds) = ("dead_relu", [threshold.name: threshold.maximum]) }
          ]
        }
      )
      let second = try await harness.alerts.setRules(
        .with { ($0.runID, $0.rules) = ("r", .switched(["dead_relu": false])) }
      )
      #expect(second.revision > first.revision)
      let changed = try await harness.alerts.listRules(.with { $0.runID = "r" })
      #expect(changed.revision == second.revision)
      #expect(changed.set == .switched(["dead_relu": false]))
      let both = try #require(changed.rules.first { $0.rule == "dead_relu" })
      #expect(!both.enabled && both.thresholds.first?.effective == threshold.maximum)
    }
  }

  @Test("are refused as a whole if a setting is wrong, and the setting is named")
  func refused() async throws {
    let run = try FaultyRun()
    try await withCollectorOnDisk { harness in
      try await harness.send([], of: run)
      let dead = Gradwatch_V1_RuleSettings.with { $0.rule = "dead_relu" }
      func refusal(_ change: (inout Gradwatch_V1_SetRulesRequest) -> Void) async -> RPCError? {
        var request = Gradwatch_V1_SetRulesRequest()
        request.runID = "r"
        change(&request)
        do {
          _ = try await harness.alerts.setRules(request)
          return nil
        } catch {
          return error as? RPCError
        }
      }
      let unknown = await refusal { $0.rules = .switched(["dead_relu": true, "nope": false]) }
      #expect(unknown?.code == .invalidArgument)
      #expect(unknown?.message.contains("nope") == true)
      #expect(try errorInfo(of: unknown)?.reason == "INVALID_RULES")
      let threshold = await refusal {
        $0.rules.rules = [dead]
        $0.rules.rules[0].thresholds = ["nope": 1]
      }
      #expect(threshold?.message.contains("dead_relu.thresholds.nope") == true)
      let nan = await refusal {
        $0.rules.rules = [dead]
        $0.rules.rules[0].thresholds = ["warning_share": .nan]
      }
      #expect(nan?.code == .invalidArgument)
      let twice = await refusal { $0.rules.rules = [dead, dead] }
      #expect(twice?.message.contains("each rule once") == true)
      let glob = await refusal {
        $0.rules.rules = [dead]
        $0.rules.rules[0].layers = ["a\u{7}"]
      }
      #expect(glob?.message.contains("rules.rules[0].layers") == true)
      let target = await refusal { $0.target = nil }
      #expect(target?.code == .invalidArgument)
      let missing = await refusal { $0.runID = "missing" }
      #expect(missing?.code == .notFound)
      let stored = try await harness.alerts.listRules(.with { $0.runID = "r" })
      #expect(stored.revision == 0)
    }
  }
}
