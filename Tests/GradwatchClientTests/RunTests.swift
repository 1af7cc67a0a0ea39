import GRPCCore
import GRPCProtobuf
import GradwatchClient
import Synchronization
import Telemetry
import TelemetryWire
import Testing

@Suite("A run against a collector", .timeLimit(.minutes(1)))
struct RunTests {
  private struct Failure: Error, CustomStringConvertible {
    var description: String { "the data are gone" }
  }

  @Test("reports arrive once and in order, and the run is finished")
  func happyPath() async throws {
    let collector = FakeCollector()
    let delivery = try await RunFixture.report(0..<300, to: collector)
    #expect(collector.storedSteps == Array(0..<300))
    #expect(delivery.state == .completed)
    #expect(delivery.reported == 300)
    #expect(delivery.delivered == 300)
    let state = collector.state.withLock { $0 }
    #expect(state.registrations.map(\.runID) == ["run"])
    #expect(state.registrations.first?.model.tensors.map(\.name) == ["a.weight"])
    #expect(state.stored.map(\.sequence) == Array(1...300))
    #expect(state.stored[7].gradients.norm == [7])
    #expect(state.opens.map(\.producerID) == ["p"])
    #expect(state.finishes.map(\.status) == [.finished])
  }

  @Test("a newer stream of the same producer ends this one for good")
  func superseded() async throws {
    let collector = FakeCollector(onStream: { _, stream in
      try await stream.open()
      _ = try await stream.next()
      throw RPCError(code: .aborted, message: "a newer stream")
    })
    let delivery = try await RunFixture.report(0..<10, to: collector)
    #expect(delivery.state == .failed(.superseded))
    #expect(delivery.delivered == 0)
    #expect(delivery.dropped == 10)
    let state = collector.state.withLock { $0 }
    #expect(state.opens.count == 1)
    #expect(state.finishes.isEmpty)
  }

  @Test("a collector that is absent at first gets everything later")
  func absentCollector() async throws {
    let collector = FakeCollector(onRegister: { [error = RunFixture.unavailable] index in
      if index < 4 { throw error }
    })
    let pauses = Pauses()
    let delivery = try await RunFixture.report(0..<50, to: collector, options: pauses.options())
    #expect(collector.storedSteps == Array(0..<50))
    #expect(delivery.delivered == 50)
    #expect(pauses.all == [100, 200, 400, 800].map { .milliseconds($0) })
  }

  @Test(
    "a collector that says when to come back is not asked before, but for a minute at most",
    arguments: [(7, 7), (86_400, 60)]
  )
  func retryAfter(told: Int, waited: Int) async throws {
    let collector = FakeCollector(onRegister: { index in
      guard index == 0 else { return }
      throw GoogleRPCStatus(
        code: .resourceExhausted,
        message: "full",
        details: .retryInfo(delay: .seconds(told))
      )
    })
    let pauses = Pauses()
    _ = try await RunFixture.report(0..<1, to: collector, options: pauses.options())
    #expect(pauses.all == [.seconds(waited) + .milliseconds(100)])
  }

  @Test("a required collector that is absent stops the run before it begins")
  func requiredCollector() async throws {
    let collector = FakeCollector(onRegister: { [error = RunFixture.unavailable] _ in throw error })
    let registration = try RunFixture.registration()
    var options = Pauses().options()
    options.requiresCollector = true
    await #expect(throws: ClientError.unreachable("away")) {
      try await withFakeCollector(collector) { [options] transport in
        try await withRun(transport: transport, registration: registration, options: options) {
          _ in Issue.record("the body was called")
        }
      }
    }
    #expect(collector.state.withLock { $0.registrations.count } == 1)
  }

  @Test("another model under the run's name ends the delivery, not the training")
  func modelDiffers() async throws {
    let collector = FakeCollector(onRegister: { _ in
      throw GoogleRPCStatus(
        code: .failedPrecondition,
        message: "run: another model",
        details: .errorInfo(reason: "MODEL_DIFFERS", domain: "gradwatch")
      )
    })
    let delivery = try await RunFixture.report(0..<5, to: collector)
    guard case .failed(.rejected(_, let reason, let message)) = delivery.state else {
      Issue.record("unexpected state \(delivery.state)")
      return
    }
    #expect(reason == "MODEL_DIFFERS")
    #expect(message == "run: another model")
    #expect(delivery.dropped == 5)
    #expect(collector.state.withLock { $0.registrations.count } == 1)
  }

  @Test("alerts are told once each, over as many streams as it takes")
  func alerts() async throws {
    let collector = FakeCollector(onStream: { [error = RunFixture.unavailable] index, stream in
      if index == 0 {
        try await stream.open()
        try await stream.alert(cursor: 11)
        try await stream.alert(cursor: 12)
        _ = try await stream.next()
        throw error
      }
      // The second was on its way as the stream broke.
      try await stream.alert(cursor: 12)
      try await stream.alert(cursor: 15)
      try await stream.serve()
    })
    let registration = try RunFixture.registration()
    let alerts = try await withFakeCollector(collector) { transport in
      try await withRun(
        transport: transport,
        registration: registration,
        options: Pauses().options()
      ) { run in
        run.report(RunFixture.report(0))
        await run.finish()
        return await run.alerts.reduce(into: []) { $0.append($1.alert.summary) }
      }.value
    }
    #expect(alerts == ["alert 11", "alert 12", "alert 15"])
    let opens = collector.state.withLock { $0.opens }
    #expect(opens.map(\.wantAlerts) == [true, true])
    #expect(opens.map(\.hasAlertCursor) == [false, true])
    #expect(opens.last?.alertCursor == 12)
  }

  @Test("alerts that nobody takes are bounded, and the newest are kept")
  func boundedAlerts() async throws {
    let collector = FakeCollector(onStream: { _, stream in
      try await stream.open()
      for cursor in 1...10 as ClosedRange<Int64> { try await stream.alert(cursor: cursor) }
      while try await stream.next() != nil {}
    })
    let registration = try RunFixture.registration()
    var options = Pauses().options()
    options.alertCapacity = 3
    let outcome = try await withFakeCollector(collector) { [options] transport in
      try await withRun(transport: transport, registration: registration, options: options) { run in
        await run.finish()
        return await run.alerts.reduce(into: []) { $0.append($1.step) }
      }
    }
    #expect(outcome.value == [8, 9, 10])
    #expect(outcome.delivery.droppedAlerts == 7)
  }

  @Test("the end waits for what is not acked, and no longer than it is given")
  func flushTimeout() async throws {
    let collector = FakeCollector(onStream: { _, stream in
      try await stream.open()
      while try await stream.next() != nil {}
    })
    let delivery = try await RunFixture.report(
      0..<4,
      to: collector,
      options: Pauses().options(flushTimeIsOver: true)
    )
    guard case .failed(.incomplete(pendingReports: 4, _)) = delivery.state else {
      Issue.record("unexpected state \(delivery.state)")
      return
    }
    #expect(delivery.dropped == 4)
    #expect(collector.state.withLock { $0.finishes.isEmpty })
  }

  @Test("a body that throws ends the run as failed, with the reason, and its reports arrive")
  func failedBody() async throws {
    let collector = FakeCollector()
    let registration = try RunFixture.registration()
    await #expect(throws: Failure.self) {
      try await withFakeCollector(collector) { transport in
        try await withRun(
          transport: transport,
          registration: registration,
          options: Pauses().options()
        ) { run in
          run.report(RunFixture.report(0))
          throw Failure()
        }
      }
    }
    #expect(collector.storedSteps == [0])
    let finishes = collector.state.withLock { $0.finishes }
    #expect(finishes.map(\.status) == [.failed])
    #expect(finishes.map(\.reason) == ["the data are gone"])
  }

  @Test("a cancelled task ends the run as aborted, and its reports arrive")
  func cancelledBody() async throws {
    let collector = FakeCollector()
    let registration = try RunFixture.registration()
    try await withFakeCollector(collector) { transport in
      let training = Task {
        try await withRun(
          transport: transport,
          registration: registration,
          options: Pauses().options()
        ) { run in
          for step in 0..<30 as Range<UInt64> { run.report(RunFixture.report(step)) }
          try await Task.sleep(for: .seconds(3600))
        }
      }
      while collector.state.withLock({ $0.opens.isEmpty }) { await Task.yield() }
      training.cancel()
      await #expect(throws: CancellationError.self) { try await training.value }
    }
    #expect(collector.storedSteps == Array(0..<30))
    #expect(collector.state.withLock { $0.finishes.map(\.status) } == [.aborted])
  }

  @Test("the body's own ending counts, and what comes after it is dropped")
  func ownEnding() async throws {
    let collector = FakeCollector()
    let registration = try RunFixture.registration()
    let delivery = try await withFakeCollector(collector) { transport in
      try await withRun(
        transport: transport,
        registration: registration,
        options: Pauses().options()
      ) { run in
        run.report(RunFixture.report(0))
        await run.finish(as: .failed, reason: "loss is NaN")
        run.report(RunFixture.report(1))
      }.delivery
    }
    #expect(collector.storedSteps == [0])
    let finishes = collector.state.withLock { $0.finishes }
    #expect(finishes.map(\.reason) == ["loss is NaN"])
    #expect(delivery.dropped == 1)
    #expect(delivery.state == .completed)
  }

  @Test("the end of a run is told again if the collector was away")
  func finishIsRepeated() async throws {
    let collector = FakeCollector(onFinish: { [error = RunFixture.unavailable] index in
      if index < 2 { throw error }
    })
    let delivery = try await RunFixture.report(0..<5, to: collector)
    #expect(delivery.state == .completed)
    #expect(delivery.delivered == 5)
    #expect(collector.state.withLock { $0.finishes.count } == 3)
    #expect(collector.storedSteps == Array(0..<5))
  }

  @Test("only the first rank ends the run")
  func otherRank() async throws {
    let collector = FakeCollector()
    let registration = try RunFixture.registration(rank: 1)
    let delivery = try await withFakeCollector(collector) { transport in
      try await withRun(transport: transport, registration: registration) { run in
        run.report(RunFixture.report(0))
      }.delivery
    }
    #expect(delivery.state == .completed)
    #expect(collector.state.withLock { $0.finishes.isEmpty })
  }
}
