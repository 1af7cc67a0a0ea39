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

@Suite("Deleting runs", .timeLimit(.minutes(1)))
struct DeleteRunTests {
  private typealias Harness = CollectorHarness<InProcessTransport.Client>

  private static func delete(_ harness: Harness, _ run: String, force: Bool = false) async throws {
    _ = try await harness.admin.deleteRun(.with { ($0.runID, $0.force) = (run, force) })
  }

  /// The reason for which a deletion is refused; `nil` if it is not.
  private static func refusal(_ harness: Harness, _ run: String) async throws -> String? {
    do {
      try await delete(harness, run)
      return nil
    } catch let error as RPCError {
      #expect(error.code == .failedPrecondition)
      return try reason(error)
    }
  }

  /// The reason in a status.
  private static func reason(_ error: RPCError?) throws -> String? {
    try error?.unpackGoogleRPCStatus()?.details.lazy.compactMap(\.errorInfo?.reason).first
  }

  /// The runs of whose alerts a subscriber hears that asks for everything from the beginning.
  private static func runsWithTransitions(_ harness: Harness) async throws -> Set<String> {
    let everything = Gradwatch_V1_SubscribeAlertsRequest.with {
      ($0.cursor, $0.includePending) = (0, true)
    }
    return try await harness.alerts.subscribeAlerts(everything) { response in
      var runs: Set<String> = []
      for try await event in response.messages {
        guard case .transition(let transition)? = event.event else { break }
        runs.insert(transition.alert.runID)
      }
      return runs
    }
  }

  /// The run's reports that are stored, or the code of why not.
  private static func runs(_ harness: Harness) async throws -> [String] {
    try await harness.query.listRuns(.init()).runs.map { run in
      "\(run.runID) \(run.producers.map(\.lastSequence))"
    }
  }

  @Test("a run that ended, or whose job is gone, is deleted with its alerts; others go on")
  func plain() async throws {
    let runs = try ["ended", "gone", "other"].map { try RunBuilder(run: $0) }
    try await withCollectorOnDisk { harness in
      for run in runs {
        _ = try await harness.ingest.register(run)
        _ = try await harness.ingest.report([run.report(1, loss: .nan)], for: run)
      }
      _ = try await harness.ingest.finishRun(
        .with { ($0.runID, $0.status) = ("ended", .finished) }
      )
      let deleted = try await harness.admin.deleteRun(.with { $0.runID = "ended" })
      #expect(deleted.run.runID == "ended")
      #expect(deleted.run.status == .finished)
      try await Self.delete(harness, "gone")
      #expect(try await Self.runs(harness) == ["other [1]"])
      let alerts = try await harness.query.listAlerts(.init()).alerts
      #expect(Set(alerts.map(\.runID)) == ["other"])
      #expect(try await Self.runsWithTransitions(harness) == ["other"])
      #expect(try await harness.admin.getStats(.init()).liveProducers == 1)
      for name in ["ended", "nobody"] {
        let error = await #expect(throws: RPCError.self) { try await Self.delete(harness, name) }
        #expect(error?.code == .notFound)
      }
      let reported = try await harness.ingest.report([runs[2].report(2)], for: runs[2])
      #expect(reported.ack.sequence == 2)
    }
  }

  @Test("a run with an open stream is deleted by force only, and its streams hear why they end")
  func force() async throws {
    let run = try RunBuilder(run: "r")
    let other = try RunBuilder(run: "other")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      _ = try await harness.ingest.register(other)
      try await withTelemetryStream(harness.ingest, other.registration) { others, _ in
        let ending = await #expect(throws: RPCError.self) {
          try await withTelemetryStream(harness.ingest, run.registration) { stream, _ in
            for sequence in 1...3 as ClosedRange<UInt64> { stream.send(run.report(sequence)) }
            _ = try await stream.readUntilAck(of: 3)
            #expect(try await Self.refusal(harness, "r") == "RUN_HAS_STREAMS")
            stream.send(run.report(4))
            _ = try await stream.readUntilAck(of: 4)
            try await Self.delete(harness, "r", force: true)
            while try await stream.next() != nil {}
          }
        }
        #expect(ending?.code == .failedPrecondition)
        #expect(try Self.reason(ending) == "RUN_DELETED")
        others.send(other.report(1))
        _ = try await others.readUntilAck(of: 1)
      }
      #expect(try await Self.runs(harness) == ["other [1]"])
    }
  }

  @Test("a run of a deleted one's name begins anew")
  func again() async throws {
    let run = try RunBuilder(run: "r")
    try await withCollectorOnDisk { harness in
      for _ in 0..<3 {
        let registered = try await harness.ingest.register(run)
        #expect(registered.producer.lastSequence == 0)
        let reports = (1...40 as ClosedRange<UInt64>).map { run.report($0, loss: .nan) }
        _ = try await harness.ingest.report(reports, for: run)
        #expect(try await harness.query.listAlerts(.init()).alerts.count == 1)
        try await Self.delete(harness, "r")
        let error = await #expect(throws: RPCError.self) {
          try await harness.ingest.report([run.report(41)], for: run)
        }
        #expect(error?.code == .notFound)
      }
    }
  }

  @Test("deletions beside reports of the same and of other runs break nothing")
  func race() async throws {
    let run = try RunBuilder(run: "r")
    let other = try RunBuilder(run: "other")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(other)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          for sequence in 1...200 as ClosedRange<UInt64> {
            let answer = try await harness.ingest.report([other.report(sequence)], for: other)
            #expect(answer.ack.sequence == sequence)
          }
        }
        group.addTask {
          for _ in 0..<60 {
            // What it meets is gone, or is being deleted.
            do {
              _ = try await harness.ingest.register(run)
              for sequence in 1...5 as ClosedRange<UInt64> {
                _ = try await harness.ingest.report([run.report(sequence)], for: run)
              }
            } catch let error as RPCError {
              #expect([.notFound, .failedPrecondition].contains(error.code), "\(error)")
            }
          }
        }
        group.addTask {
          for _ in 0..<60 {
            do {
              try await Self.delete(harness, "r", force: true)
            } catch let error as RPCError {
              #expect(error.code == .notFound, "\(error)")
            }
            await Task.yield()
          }
        }
        try await group.waitForAll()
      }
      let registered = try await harness.ingest.register(run)
      let next = registered.producer.lastSequence + 1
      let answer = try await harness.ingest.report([run.report(next)], for: run)
      #expect(answer.ack.sequence == next)
      try await Self.delete(harness, "r")
      #expect(try await Self.runs(harness) == ["other [200]"])
    }
  }

  @Test("what waits for the disk when a run is deleted is settled first")
  func queued() async throws {
    let run = try RunBuilder(run: "r")
    try await withTemporaryFolder { folder in
      let store = FaultyRunStore(try SQLiteRunStore(path: "\(folder)/db"))
      try await withCollector(store: store) { harness in
        _ = try await harness.ingest.register(run)
        _ = try await harness.ingest.report([run.report(1)], for: run)
        store.failure = .unavailable(operation: "commit", detail: "the disk is full")
        let error = await #expect(throws: RPCError.self) {
          try await harness.ingest.report([run.report(2)], for: run)
        }
        #expect(error?.code == .unavailable)
        try await Self.delete(harness, "r")
        store.failure = nil
        #expect(try await harness.ingest.register(run).producer.lastSequence == 0)
        #expect(try await harness.ingest.report([run.report(1)], for: run).ack.sequence == 1)
      }
    }
  }
}
