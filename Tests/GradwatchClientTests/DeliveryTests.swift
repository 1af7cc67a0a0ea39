import GRPCCore
import GradwatchClient
import Synchronization
import Telemetry
import TelemetryWire
import Testing

@Suite("Reports on their way to a collector", .timeLimit(.minutes(1)))
struct DeliveryTests {
  @Test("what is not durable is sent again after the stream died, and nothing twice")
  func resend() async throws {
    let collector = FakeCollector(onStream: { [error = RunFixture.unavailable] index, stream in
      try await stream.open()
      // Three streams die after ten reports each, of which four are acked, all ten durable.
      for count in 0... {
        if index < 3, count == 10 { throw error }
        guard let report = try await stream.next() else { return }
        guard stream.accept(report) else {
          try await stream.tellGap(found: report.sequence)
          continue
        }
        if index == 3 || count < 4 { try await stream.ack() }
      }
    })
    let delivery = try await RunFixture.report(0..<100, to: collector)
    #expect(collector.storedSteps == Array(0..<100))
    #expect(delivery.delivered == 100)
    let state = collector.state.withLock { $0 }
    #expect(state.opens.count == 4)
    #expect(state.stored.map(\.sequence) == Array(1...100))
    // What was durable was not sent again.
    let second = try #require(state.received.dropFirst(10).first)
    #expect(second.sequence == 11)
  }

  @Test("what was received and lost with the collector is sent again under its number")
  func resendAfterLoss() async throws {
    let collector = FakeCollector(onStream: { [error = RunFixture.unavailable] index, stream in
      if index > 0 { return try await stream.serve() }
      try await stream.open()
      for _ in 0..<6 { _ = try await stream.next() }
      throw error
    })
    let delivery = try await RunFixture.report(0..<20, to: collector)
    #expect(collector.storedSteps == Array(0..<20))
    #expect(delivery.delivered == 20)
    #expect(collector.state.withLock { $0.stored.map(\.sequence) } == Array(1...20))
  }

  @Test("never more reports are in flight than the collector gives credits for")
  func credits() async throws {
    let collector = FakeCollector(onStream: { _, stream in
      stream.credits = 5
      try await stream.open()
      var unacked = 0
      while let report = try await stream.next() {
        _ = stream.accept(report)
        unacked += 1
        guard unacked == 5 else { continue }
        // Time for a client that does not keep to its credits.
        for _ in 0..<200 { await Task.yield() }
        try await stream.ack()
        unacked = 0
      }
    })
    let delivery = try await RunFixture.report(0..<200, to: collector)
    #expect(delivery.delivered == 200)
    #expect(collector.state.withLock { $0.mostInFlight } == 5)
  }

  @Test("at a gap the client goes back to the number that is expected")
  func gap() async throws {
    let collector = FakeCollector(onStream: { _, stream in
      try await stream.open()
      var isLost = false
      var told: UInt64?
      while let report = try await stream.next() {
        if report.sequence == 8, !isLost {
          isLost = true
        } else if stream.accept(report) {
          try await stream.ack()
        } else if told == nil {
          told = report.sequence
          try await stream.tellGap(found: report.sequence)
        }
      }
    })
    let delivery = try await RunFixture.report(0..<40, to: collector)
    #expect(collector.storedSteps == Array(0..<40))
    #expect(delivery.delivered == 40)
    #expect(collector.state.withLock { $0.opens.count } == 1)
  }

  @Test("refusals reach the user, and a refused report is not sent again")
  func refusals() async throws {
    let collector = FakeCollector(onStream: { [error = RunFixture.unavailable] index, stream in
      if index > 0 { return try await stream.serve(refusing: [3, 7]) }
      try await stream.open()
      for _ in 0..<6 {
        guard let report = try await stream.next() else { return }
        if report.step == 3 {
          // Told, and then forgotten: the collector dies before the refusal is durable.
          try await stream.ack(refusing: [report.sequence])
          throw error
        }
        _ = stream.accept(report)
        try await stream.ack()
      }
    })
    let registration = try RunFixture.registration()
    let (delivery, refusals) = try await withFakeCollector(collector) { transport in
      let outcome = try await withRun(
        transport: transport,
        registration: registration,
        options: Pauses().options()
      ) { run in
        for step in 0..<10 as Range<UInt64> { run.report(RunFixture.report(step)) }
        await run.finish()
        return await run.refusals.reduce(into: []) { $0.append($1) }
      }
      return (outcome.delivery, outcome.value)
    }
    #expect(refusals.map(\.step) == [3, 7])
    #expect(refusals.first?.reason == "expected something else")
    #expect(delivery.refused == 2)
    #expect(delivery.firstRefusal == refusals.first)
    #expect(delivery.delivered == 8)
    #expect(collector.storedSteps == [0, 1, 2, 4, 5, 6, 8, 9])
    #expect(collector.state.withLock { $0.received.count { $0.step == 3 } } == 1)
  }

  @Test("what a full buffer drops is counted and told with the next report")
  func overflow() async throws {
    // The collector answers only after the buffer is full.
    let (isFull, full) = AsyncStream.makeStream(
      of: Never.self,
      bufferingPolicy: .bufferingNewest(1)
    )
    let collector = FakeCollector(onRegister: { _ in for await _ in isFull {} })
    let registration = try RunFixture.registration()
    var options = Pauses().options()
    options.maximumBufferedReports = 5
    let delivery = try await withFakeCollector(collector) { [options] transport in
      try await withRun(transport: transport, registration: registration, options: options) { run in
        for step in 0..<20 as Range<UInt64> { run.report(RunFixture.report(step)) }
        #expect(run.status.dropped == 15)
        full.finish()
        while run.status.delivered < 5 { await Task.yield() }
        run.report(RunFixture.report(20))
        run.report(RunFixture.report(21))
      }.delivery
    }
    #expect(collector.storedSteps == [0, 1, 2, 3, 4, 20, 21])
    let state = collector.state.withLock { $0 }
    #expect(state.stored.map(\.droppedSteps) == [0, 0, 0, 0, 0, 15, 0])
    #expect(state.stored.map(\.sequence) == Array(1...7))
    #expect(delivery.dropped == 15)
    #expect(delivery.delivered == 7)
  }

  @Test("a collector that lost its database gets the run again, and what is left from number 1")
  func lostDatabase() async throws {
    let collector = FakeCollector(onStream: { index, stream in
      if index > 0 { return try await stream.serve() }
      try await stream.open()
      for _ in 0..<5 {
        guard let report = try await stream.next() else { return }
        _ = stream.accept(report)
        try await stream.ack()
      }
      stream.collector.state.withLock { state in
        state.stored = []
        state.lastSequence = 0
      }
      throw RPCError(code: .notFound, message: "run: not in the store")
    })
    let delivery = try await RunFixture.report(0..<12, to: collector)
    let state = collector.state.withLock { $0 }
    #expect(state.registrations.count == 2)
    // The five that were acked are gone with the database.
    #expect(state.stored.map(\.step) == Array(5..<12))
    #expect(state.stored.map(\.sequence) == Array(1...7))
    #expect(delivery.delivered == 12)
  }

  @Test(
    "a report that is larger than a message is reduced to its scalars, whoever sets the limit",
    arguments: [true, false]
  )
  func oversized(isCollectorsLimit: Bool) async throws {
    let collector = FakeCollector()
    let registration = try RunFixture.registration()
    var options = Pauses().options()
    if !isCollectorsLimit { options.maximumMessageBytes = 2000 }
    let limit: UInt64? = isCollectorsLimit ? 2000 : nil
    let delivery = try await withFakeCollector(collector, maximumMessageBytes: limit) {
      [options] transport in
      try await withRun(transport: transport, registration: registration, options: options) { run in
        for step in 0..<3 as Range<UInt64> {
          var report = RunFixture.report(step)
          report.scalars.losses = [NamedLoss(name: "loss", value: 2)]
          if step == 1 { report.gradients.norm = Array(repeating: 1, count: 1000) }
          run.report(report)
        }
      }.delivery
    }
    #expect(delivery.reduced == 1)
    #expect(delivery.delivered == 3)
    let stored = collector.state.withLock { $0.stored }
    #expect(stored.map(\.hasGradients) == [true, false, true])
    #expect(stored[1].losses.map(\.value) == [2])
  }

  @Test("reports from many threads all arrive")
  func manyThreads() async throws {
    let collector = FakeCollector()
    let registration = try RunFixture.registration()
    let delivery = try await withFakeCollector(collector) { transport in
      try await withRun(transport: transport, registration: registration) { run in
        await withTaskGroup(of: Void.self) { group in
          for worker in 0..<4 as Range<UInt64> {
            group.addTask {
              for step in 0..<100 as Range<UInt64> {
                run.report(RunFixture.report(worker * 100 + step))
              }
            }
          }
        }
      }.delivery
    }
    #expect(delivery.delivered == 400)
    #expect(collector.storedSteps.sorted() == Array(0..<400))
  }
}
