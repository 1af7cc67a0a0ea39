import GRPCCore
import GradwatchClient
import Telemetry
import TelemetryWire
import Testing

@Suite("A loop that waits for what its reports raise", .timeLimit(.minutes(1)))
struct SettlingTests {
  @Test("hears every alert that came before the ack")
  func hears() async throws {
    let collector = FakeCollector(onStream: { _, stream in
      try await stream.open()
      while let report = try await stream.next() {
        _ = stream.accept(report)
        try await stream.alert(cursor: Int64(report.sequence))
        try await stream.ack()
      }
    })
    let registration = try RunFixture.registration()
    let heard = try await withFakeCollector(collector) { transport in
      try await withRun(
        transport: transport,
        registration: registration,
        options: Pauses().options()
      ) { run in
        var heard: [Int] = []
        for step in 0..<UInt64(5) {
          run.report(RunFixture.report(step))
          await run.settle()
          heard.append(run.openAlerts.count)
        }
        return heard
      }.value
    }
    #expect(heard == [1, 2, 3, 4, 5])
  }

  @Test("goes on at once if nothing was reported")
  func nothingReported() async throws {
    let registration = try RunFixture.registration()
    _ = try await withFakeCollector(FakeCollector()) { transport in
      try await withRun(
        transport: transport,
        registration: registration,
        options: Pauses().options()
      ) { run in await run.settle() }
    }
  }

  @Test("goes on without a collector that fails")
  func failure() async throws {
    let collector = FakeCollector(onStream: { _, stream in
      try await stream.open()
      _ = try await stream.next()
      throw RPCError(code: .aborted, message: "a newer stream")
    })
    let registration = try RunFixture.registration()
    let delivery = try await withFakeCollector(collector) { transport in
      try await withRun(
        transport: transport,
        registration: registration,
        options: Pauses().options()
      ) { run in
        for step in 0..<UInt64(10) {
          run.report(RunFixture.report(step))
          await run.settle()
        }
      }.delivery
    }
    #expect(delivery.state == .failed(.superseded))
  }

  @Test("waits no longer once its task is cancelled")
  func cancellation() async throws {
    // Takes reports and never acks them.
    let collector = FakeCollector(onStream: { _, stream in
      try await stream.open()
      while try await stream.next() != nil {}
    })
    let registration = try RunFixture.registration()
    _ = try await withFakeCollector(collector) { transport in
      try await withRun(
        transport: transport,
        registration: registration,
        options: Pauses().options(flushTimeIsOver: true)
      ) { run in
        run.report(RunFixture.report(0))
        await withTaskGroup(of: Void.self) { group in
          group.addTask { await run.settle() }
          group.cancelAll()
        }
        #expect(run.status.pending == 1)
      }
    }
  }
}
