import GRPCCore
import GradwatchClient
import Telemetry
import Testing

@Suite("A replay that waits for room", .timeLimit(.minutes(1)))
struct WaitingForRoomTests {
  private func options(_ room: Int) -> RunOptions {
    var options = Pauses().options()
    options.maximumBufferedReports = room
    return options
  }

  @Test("loses nothing, however small the buffer is", arguments: [1, 3])
  func nothingIsDropped(room: Int) async throws {
    let collector = FakeCollector()
    let registration = try RunFixture.registration()
    let delivery = try await withFakeCollector(collector) { transport in
      try await withRun(
        transport: transport,
        registration: registration,
        options: options(room)
      ) { run in
        for step in 0..<UInt64(200) { await run.reportWhenRoom(RunFixture.report(step)) }
      }.delivery
    }
    #expect(collector.storedSteps == Array(0..<200))
    #expect(delivery.delivered == 200)
    #expect(delivery.dropped == 0)
  }

  @Test("waits no longer once the delivery has failed")
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
        options: options(2)
      ) { run in
        for step in 0..<UInt64(10) { await run.reportWhenRoom(RunFixture.report(step)) }
      }.delivery
    }
    #expect(delivery.state == .failed(.superseded))
    #expect(delivery.dropped == 10)
  }

  @Test("waits no longer once its task is cancelled")
  func cancellation() async throws {
    // Takes reports and never acks them.
    let collector = FakeCollector(onStream: { _, stream in
      try await stream.open()
      while try await stream.next() != nil {}
    })
    let registration = try RunFixture.registration()
    let dropped = try await withFakeCollector(collector) { transport in
      var options = Pauses().options(flushTimeIsOver: true)
      options.maximumBufferedReports = 2
      return try await withRun(
        transport: transport,
        registration: registration,
        options: options
      ) { run in
        run.report(RunFixture.report(0))
        run.report(RunFixture.report(1))
        await withTaskGroup(of: Void.self) { group in
          group.addTask { await run.reportWhenRoom(RunFixture.report(2)) }
          group.cancelAll()
        }
        return run.status.dropped
      }.value
    }
    #expect(dropped == 1)
  }
}
