import CollectorService
import CollectorTesting
import Dispatch
import GRPCCore
import GRPCInProcessTransport
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryTesting
import TelemetryWire
import Testing

@Suite("Ranks of one run", .timeLimit(.minutes(1)))
struct RankTests {
  private typealias Harness = CollectorHarness<InProcessTransport.Client>

  private static func ranks() throws -> [RunBuilder] {
    try (0..<4).map { try RunBuilder(run: "r", producer: "rank-\($0)", rank: ($0, of: 4)) }
  }

  /// Sends steps of all ranks; rank 2's gradient is `scale` times as large as the others'.
  private func send(
    _ steps: Range<UInt64>,
    of ranks: [RunBuilder],
    to harness: Harness,
    scale: Float
  ) async throws {
    for (index, rank) in ranks.enumerated() {
      _ = try await harness.ingest.register(rank)
      let reports = steps.map { step in
        // The losses are those of a run that learns.
        rank.report(step + 1, scale: index == 2 ? scale : 1, loss: 1 / (1 + Double(step)))
      }
      _ = try await harness.ingest.report(reports, for: rank)
    }
  }

  private func alerts(_ harness: Harness) async throws -> [Gradwatch_V1_Alert] {
    try await harness.query.listAlerts(.with { $0.rules = ["rank_divergence"] }).alerts
  }

  @Test("an alert is the odd rank's, survives a restart as the same one, and resolves after it")
  func oddRank() async throws {
    let ranks = try Self.ranks()
    try await withTemporaryFolder { folder in
      let id = LockedBox("")
      try await withCollector(store: try SQLiteRunStore(path: "\(folder)/db")) { harness in
        try await send(0..<10, of: ranks, to: harness, scale: 6)
        let found = try await alerts(harness)
        #expect(found.map(\.producerID) == ["rank-2"])
        #expect(found.map(\.state) == [.firing])
        // The other three agree, as they do after an all-reduce.
        #expect(found.map(\.severity) == [.critical])
        id.value = found.first?.alertID ?? ""
      }
      try await withCollector(store: try SQLiteRunStore(path: "\(folder)/db")) { harness in
        let request = Gradwatch_V1_AcknowledgeAlertRequest.with {
          ($0.alertID, $0.acknowledgedBy) = (id.value, "kim")
        }
        let acknowledged = try await harness.alerts.acknowledgeAlert(request).alert
        #expect(acknowledged.state == .acknowledged)
        try await send(10..<50, of: ranks, to: harness, scale: 1)
        let found = try await alerts(harness)
        #expect(found.map(\.alertID) == [id.value])
        #expect(found.map(\.state) == [.resolved])
      }
    }
  }

  @Test("ranks are compared though the collector looks after its producers while one is loaded")
  func loadedDuringATick() async throws {
    let ranks = try Self.ranks()
    try await withTemporaryFolder { folder in
      let store = FaultyRunStore(try SQLiteRunStore(path: "\(folder)/db"))
      try await withCollector(store: store) { harness in
        _ = try await harness.ingest.register(ranks[0])
        let isLoading = Signal()
        let mayGoOn = DispatchSemaphore(value: 0)
        store.onCall = { call in
          guard call == .snapshot else { return }
          isLoading.raise()
          mayGoOn.wait()
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { _ = try await harness.ingest.report([], for: ranks[0]) }
          await isLoading.wait()
          await harness.collector.producers.tick()
          store.onCall = nil
          mayGoOn.signal()
          try await group.waitForAll()
        }
        try await send(0..<10, of: ranks, to: harness, scale: 6)
        #expect(try await alerts(harness).map(\.producerID) == ["rank-2"])
      }
    }
  }

  @Test("a user may switch the comparison off")
  func switchedOff() async throws {
    let ranks = try Self.ranks()
    try await withTemporaryFolder { folder in
      try await withCollector(store: try SQLiteRunStore(path: "\(folder)/db")) { harness in
        _ = try await harness.alerts.setRules(
          .with { ($0.project, $0.rules) = ("tests", .switched(["rank_divergence": false])) }
        )
        try await send(0..<10, of: ranks, to: harness, scale: 6)
        let found = try await alerts(harness)
        #expect(found.isEmpty)
      }
    }
  }
}
