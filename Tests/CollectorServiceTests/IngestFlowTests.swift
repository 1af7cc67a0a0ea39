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

@Suite("Reports on their way through a collector", .timeLimit(.minutes(1)))
struct IngestFlowTests {
  @Test(
    "a stream acks what it was sent, and the next stream resumes there",
    arguments: TestTransport.allCases
  )
  func streamAndResume(_ transport: TestTransport) async throws {
    let run = try RunBuilder(run: "r")
    @Sendable func check<T: ClientTransport>(_ harness: CollectorHarness<T>) async throws {
      let registered = try await harness.ingest.register(run)
      #expect(registered.producer.lastSequence == 0)
      try await withTelemetryStream(harness.ingest, run.registration) { stream, opened in
        #expect(opened.lastSequence == 0)
        #expect(opened.credits == 64)
        for sequence in 1...20 as ClosedRange<UInt64> { stream.send(run.report(sequence)) }
        stream.finishSending()
        let read = try await stream.readUntilAck(of: 20)
        #expect(read.allSatisfy { $0.ack.refusals.isEmpty })
        #expect(try await stream.next() == nil)
      }
      try await withTelemetryStream(harness.ingest, run.registration) { stream, opened in
        #expect(opened.lastSequence == 20)
        #expect(opened.lastStep == 19)
      }
      #expect(try await harness.ingest.register(run).producer.lastSequence == 20)
    }
    try await withTemporaryFolder { folder in
      let store = try SQLiteRunStore(path: "\(folder)/db")
      switch transport {
      case .inProcess: try await withCollector(store: store) { try await check($0) }
      case .socket: try await withSocketCollector(store: store) { try await check($0) }
      }
    }
  }

  @Test("a repeated report is acked again and stored once")
  func duplicate() async throws {
    let run = try RunBuilder(run: "r")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      try await withTelemetryStream(harness.ingest, run.registration) { stream, _ in
        stream.send(run.report(1))
        _ = try await stream.readUntilAck(of: 1)
        stream.send(run.report(1, loss: 99))
        let again = try await stream.next()
        #expect(again?.ack.sequence == 1)
      }
      #expect(try await losses(harness, run) == [0: 1])
    }
  }

  @Test("a gap is answered with the expected number, and nothing after it is stored")
  func gap() async throws {
    let run = try RunBuilder(run: "r")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      try await withTelemetryStream(harness.ingest, run.registration) { stream, _ in
        stream.send(run.report(1))
        stream.send(run.report(3))
        stream.send(run.report(4))
        var gaps: [Gradwatch_V1_SequenceGap] = []
        while gaps.isEmpty, let message = try await stream.next() {
          if case .gap(let gap)? = message.event { gaps.append(gap) }
        }
        #expect(gaps.map(\.expectedSequence) == [2])
        #expect(gaps.map(\.foundSequence) == [3])
        for sequence in 2...4 as ClosedRange<UInt64> { stream.send(run.report(sequence)) }
        _ = try await stream.readUntilAck(of: 4)
      }
      #expect(try await losses(harness, run).keys.sorted() == [0, 1, 2, 3])
    }
  }

  @Test("a refused report has its reason in the ack, takes its number, and the stream goes on")
  func refusal() async throws {
    let run = try RunBuilder(run: "r")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      try await withTelemetryStream(harness.ingest, run.registration) { stream, _ in
        stream.send(run.report(1))
        var bad = run.report(2)
        bad.gradients.mean.removeLast()
        stream.send(bad)
        stream.send(run.report(3))
        let refusals = try await stream.readUntilAck(of: 3).flatMap(\.ack.refusals)
        #expect(refusals.map(\.sequence) == [2])
        #expect(refusals.map(\.field) == ["gradients.mean"])
        #expect(refusals.map(\.reason) == ["gradients.mean: expected 6 values, found 5"])
      }
      #expect(try await losses(harness, run).keys.sorted() == [0, 2])
      #expect(try await harness.ingest.register(run).producer.lastSequence == 3)
    }
  }

  @Test("fewer reports may be under way the larger they are, and never fewer than two")
  func credits() async throws {
    let run = try RunBuilder(run: "r")
    var options = CollectorOptions()
    options.maximumPendingBytes = 1 << 20
    try await withTemporaryFolder { [options] folder in
      let store = try SQLiteRunStore(path: "\(folder)/db")
      try await withCollector(store: store, options: options) { harness in
        _ = try await harness.ingest.register(run)
        try await withTelemetryStream(harness.ingest, run.registration) { stream, opened in
          // Of 64 KiB as long as none has come.
          #expect(opened.credits == 16)
          var credits: [UInt32] = []
          for (sequence, losses) in [(1, 0), (2, 100), (3, 0), (4, 1_000)] as [(UInt64, Int)] {
            var report = run.report(sequence)
            report.scalars.losses += (0..<losses).map {
              NamedLoss(name: "\($0)" + String(repeating: "x", count: 400), value: 1)
            }
            stream.send(report)
            credits.append(try await stream.readUntilAck(of: sequence).last?.ack.credits ?? 0)
          }
          #expect(credits[0] == 64)
          #expect((20...23).contains(credits[1]))
          #expect(credits[2] == credits[1])
          #expect(credits[3] == 2)
        }
      }
    }
  }

  @Test("streams have equal shares of what may wait")
  func shares() {
    var options = CollectorOptions()
    options.maximumPendingBytes = 1_000_000
    for (streams, bytes, credits) in [
      (1, 1_000, 64), (1, 100_000, 10), (10, 10_000, 10), (10, 0, 64), (0, 100_000, 10),
      (1_000, 1_000, 2), (1, 5_000_000, 2),
    ] {
      #expect(options.credits(streams: streams, reportBytes: bytes) == credits)
    }
    options.streamCredits = 1
    #expect(options.credits(streams: 1, reportBytes: 1_000) == 1)
  }

  @Test("a job that goes back replaces the steps that it recomputes")
  func rewind() async throws {
    let run = try RunBuilder(run: "r")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      _ = try await harness.ingest.report((1...10).map { run.report($0) }, for: run)
      let response = try await harness.ingest.report(
        [run.report(11, step: 4, loss: 44), run.report(12, step: 5, loss: 55)],
        for: run
      )
      #expect(response.ack.sequence == 12)
      let stored = try await losses(harness, run)
      #expect(stored.keys.sorted() == [0, 1, 2, 3, 4, 5])
      #expect(stored[4] == 44)
      #expect(stored[5] == 55)
    }
  }

  @Test("of two streams of one producer the newer wins, and the older is told")
  func superseded() async throws {
    let run = try RunBuilder(run: "r")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      let error = await #expect(throws: RPCError.self) {
        try await withTelemetryStream(harness.ingest, run.registration) { older, _ in
          older.send(run.report(1))
          _ = try await older.readUntilAck(of: 1)
          try await withTelemetryStream(harness.ingest, run.registration) { newer, opened in
            #expect(opened.lastSequence == 1)
            newer.send(run.report(2))
            _ = try await newer.readUntilAck(of: 2)
          }
          while try await older.next() != nil {}
        }
      }
      #expect(error?.code == .aborted)
      let info = try errorInfo(of: error)
      #expect(info?.reason == "SUPERSEDED")
    }
  }

  @Test("producers of one run are numbered and stored apart")
  func producersAreIndependent() async throws {
    let first = try RunBuilder(run: "r", producer: "rank0")
    let second = try RunBuilder(run: "r", producer: "rank1")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(first)
      _ = try await harness.ingest.register(second)
      _ = try await harness.ingest.report((1...3).map { first.report($0) }, for: first)
      _ = try await harness.ingest.report([second.report(1, loss: 7)], for: second)
      #expect(try await losses(harness, first).count == 3)
      #expect(try await losses(harness, second) == [0: 7])
      let got = try await harness.query.getRun(.with { $0.runID = "r" })
      #expect(got.run.producers.map(\.lastSequence) == [3, 1])
    }
  }

  @Test("alerts of the run arrive on its own stream, after they are durable")
  func alertsOnTheStream() async throws {
    let run = try RunBuilder(run: "r")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      try await withTelemetryStream(harness.ingest, run.registration, wantAlerts: true) {
        stream,
        _ in
        stream.send(run.report(1))
        stream.send(run.report(2, loss: .nan))
        var alert: Gradwatch_V1_AlertTransition?
        while alert == nil, let message = try await stream.next() {
          if case .alert(let transition)? = message.event { alert = transition }
        }
        #expect(alert?.alert.rule == "non_finite_loss")
        #expect(alert?.alert.severity == .critical)
        #expect(alert?.alert.state == .firing)
        #expect(alert?.step == 1)
        let stored = try await harness.query.listAlerts(.with { $0.runID = "r" })
        #expect(stored.alerts.map(\.alertID) == [alert?.alert.alertID])
      }
    }
  }

  @Test("who holds the ack of a report has heard the alerts that it raised")
  func alertsBeforeTheAck() async throws {
    let run = try RunBuilder(run: "r")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      try await withTelemetryStream(harness.ingest, run.registration, wantAlerts: true) {
        stream,
        _ in
        for sequence in 1...20 as ClosedRange<UInt64> {
          stream.send(run.report(sequence, loss: sequence % 2 == 0 ? .nan : 1))
          var heard: [UInt64] = []
          var acked: UInt64 = 0
          while acked < sequence, let message = try await stream.next() {
            switch message.event {
            case .alert(let transition): heard.append(transition.step)
            case .ack(let ack): acked = ack.sequence
            default: break
            }
          }
          // Steps are numbered from 0; the alert fires with the first NaN and stays open.
          if sequence == 2 { #expect(heard.contains(1)) }
          #expect(heard.allSatisfy { $0 == sequence - 1 })
        }
      }
    }
  }

  @Test("a finished run may be finished again, and runs again when it is registered again")
  func finishAndResume() async throws {
    let run = try RunBuilder(run: "r")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      _ = try await harness.ingest.report((1...5).map { run.report($0) }, for: run)
      for _ in 0..<2 {
        let response = try await harness.ingest.finishRun(
          .with { ($0.runID, $0.status, $0.reason) = ("r", .failed, "out of memory") }
        )
        #expect(response.run.status == .failed)
        #expect(response.run.statusReason == "out of memory")
      }
      let again = try await harness.ingest.register(run)
      #expect(again.run.status == .running)
      #expect(again.producer.lastSequence == 5)
      _ = try await harness.ingest.report([run.report(6)], for: run)
      #expect(try await losses(harness, run).count == 6)
    }
  }

  @Test("a stream that would resume from a cursor below 0 is refused, as a subscription is")
  func negativeCursor() async throws {
    let run = try RunBuilder(run: "r")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      for wantsAlerts in [true, false] {
        let error = await #expect(throws: RPCError.self) {
          try await withTelemetryStream(
            harness.ingest,
            run.registration,
            wantAlerts: wantsAlerts,
            alertCursor: -1
          ) { _, _ in }
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message == "alert_cursor: expected at least 0, found -1")
      }
    }
  }

  @Test(
    "while the disk is full reports are answered UNAVAILABLE, and afterwards nothing is missing"
  )
  func storeFails() async throws {
    let run = try RunBuilder(run: "r")
    try await withTemporaryFolder { folder in
      let store = FaultyRunStore(
        try SQLiteRunStore(path: "\(folder)/db")
      )
      try await withCollector(store: store) { harness in
        _ = try await harness.ingest.register(run)
        _ = try await harness.ingest.report((1...3).map { run.report($0) }, for: run)
        store.failure = .unavailable(operation: "commit", detail: "disk full")
        let error = await #expect(throws: RPCError.self) {
          _ = try await harness.ingest.report([run.report(4)], for: run)
        }
        #expect(error?.code == .unavailable)
        let details = try error?.unpackGoogleRPCStatus()?.details ?? []
        #expect(details.contains { $0.retryInfo != nil })
        let streamError = await #expect(throws: RPCError.self) {
          try await withTelemetryStream(harness.ingest, run.registration) { stream, opened in
            #expect(opened.lastSequence == 3)
            stream.send(run.report(4))
            while try await stream.next() != nil {}
          }
        }
        #expect(streamError?.code == .unavailable)
        #expect(try await losses(harness, run).count == 3)

        store.failure = nil
        try await withTelemetryStream(harness.ingest, run.registration) { stream, opened in
          #expect(opened.lastSequence == 3)
          for sequence in 4...6 as ClosedRange<UInt64> { stream.send(run.report(sequence)) }
          _ = try await stream.readUntilAck(of: 6)
        }
        #expect(try await losses(harness, run).keys.sorted() == [0, 1, 2, 3, 4, 5])
      }
    }
  }
}

/// The losses of a run's producer by step, as the query service tells them.
func losses<T: ClientTransport>(
  _ harness: CollectorHarness<T>,
  _ run: RunBuilder
) async throws -> [UInt64: Double] {
  try await harness.query.getLossTimeline(
    .with {
      $0.runID = run.registration.run.rawValue
      $0.producerID = run.registration.producer.id.rawValue
    }
  ) { response in
    var result: [UInt64: Double] = [:]
    for try await message in response.messages {
      result.merge(zip(message.points.steps, message.points.last)) { _, new in new }
    }
    return result
  }
}

/// Runs `body` against a collector with a database of its own, in process.
func withCollectorOnDisk(
  options: CollectorOptions = CollectorOptions(),
  _ body:
    @Sendable @escaping (CollectorHarness<InProcessTransport.Client>) async throws -> Void
) async throws {
  try await withTemporaryFolder { folder in
    let store = try SQLiteRunStore(path: "\(folder)/db")
    try await withCollector(store: store, options: options, body)
  }
}
