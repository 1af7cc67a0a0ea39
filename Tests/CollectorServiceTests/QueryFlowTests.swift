import CollectorService
import CollectorTesting
import Dispatch
import GRPCCore
import GRPCInProcessTransport
import RunStore
import SwiftProtobuf
import Synchronization
import Telemetry
import TelemetryTesting
import TelemetryWire
import Testing

@Suite("Runs read back from a collector", .timeLimit(.minutes(1)))
struct QueryFlowTests {
  @Test("reports are sealed however many queries wait for the disk")
  func sealingBesideQueries() async throws {
    let run = try RunBuilder(run: "r")
    try await withTemporaryFolder { folder in
      let store = FaultyRunStore(try SQLiteRunStore(path: "\(folder)/db"))
      try await withCollector(store: store) { harness in
        _ = try await harness.ingest.register(run)
        _ = try await harness.ingest.report((1...255).map { run.report($0) }, for: run)
        let isSealing = Signal()
        let mayGoOn = DispatchSemaphore(value: 0)
        store.onCall = { call in
          switch call {
          case .runs: mayGoOn.wait()
          case .sealNext: isSealing.raise()
          case .snapshot: break
          }
        }
        let queries = 16
        try await withThrowingTaskGroup(of: Void.self) { group in
          for _ in 0..<queries { group.addTask { _ = try await harness.query.listRuns(.init()) } }
          // The 256th report carries the snapshot that lets the store seal.
          _ = try await harness.ingest.report([run.report(256)], for: run)
          await isSealing.wait()
          for _ in 0..<queries { mayGoOn.signal() }
          try await group.waitForAll()
        }
      }
    }
  }

  @Test("a job starts, reports and ends however many queries wait for the disk")
  func jobsBesideQueries() async throws {
    let run = try RunBuilder(run: "r")
    try await withTemporaryFolder { folder in
      let store = FaultyRunStore(try SQLiteRunStore(path: "\(folder)/db"))
      try await withCollector(store: store) { harness in
        let isHeld = Signal()
        let held = Mutex(0)
        let mayGoOn = DispatchSemaphore(value: 0)
        store.onCall = { call in
          guard case .runs = call else { return }
          held.withLock { $0 += 1 }
          isHeld.raise()
          mayGoOn.wait()
        }
        let queries = 16
        try await withThrowingTaskGroup(of: Void.self) { group in
          for _ in 0..<queries { group.addTask { _ = try await harness.query.listRuns(.init()) } }
          // As many as are worked on at a time.
          while held.withLock({ $0 }) < 4 { await isHeld.wait() }
          var failure: (any Error)?
          do {
            _ = try await harness.ingest.register(run)
            _ = try await harness.ingest.report([run.report(1)], for: run)
            _ = try await harness.ingest.finishRun(
              .with { ($0.runID, $0.status) = ("r", .finished) }
            )
          } catch {
            failure = error
          }
          // The collector may look for runs in progress as well.
          store.onCall = nil
          for _ in 0...queries { mayGoOn.signal() }
          try await group.waitForAll()
          if let failure { throw failure }
        }
      }
    }
  }

  @Test("what could not be sealed is tried again, also if nobody reports any more")
  func sealingAgain() async throws {
    var options = CollectorOptions()
    options.tickSeconds = 1e-4
    try await withTemporaryFolder { [options] folder in
      let store = FaultyRunStore(try SQLiteRunStore(path: "\(folder)/db"))
      let isSealing = Signal()
      store.onCall = { call in if case .sealNext = call { isSealing.raise() } }
      try await withCollector(store: store, options: options) { _ in
        for _ in 0..<3 { await isSealing.wait() }
      }
    }
  }

  private typealias Harness = CollectorHarness<InProcessTransport.Client>

  @Test("a timeline is what was sent, bit for bit, in the log and in chunks alike")
  func timelineIsExact() async throws {
    let run = try RunBuilder(run: "r", layers: 2)
    // 300 reports: 256 of them get sealed, the rest stay in the log.
    let reports = (1...300 as ClosedRange<UInt64>).map { sequence in
      var report = run.report(sequence)
      if sequence % 7 == 0 { report.gradients.norm[2] = .nan }
      if sequence % 11 == 0 { report.gradients.norm[2] = -.infinity }
      if sequence % 13 == 0 { report.gradients.norm[2] = Float(bitPattern: 0x7fc1_2345) }
      return report
    }
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      _ = try await harness.ingest.report(reports, for: run)
      let series = try await timeline(
        harness,
        .with { ($0.runID, $0.selector.tensor) = ("r", "dense_1.weight") }
      )
      #expect(series.keys.sorted() == ["dense_1.weight"])
      let points = try #require(series["dense_1.weight"])
      #expect(points.steps == Array(0..<300))
      let sent = reports.map { Float($0.gradients.norm[2]).bitPattern }
      #expect(points.last.map { Float($0).bitPattern } == sent)
      #expect(points.min.isEmpty)
    }
  }

  @Test("a series longer than a message comes whole, in several")
  func longSeries() async throws {
    let run = try RunBuilder(run: "r", layers: 1)
    let count: UInt64 = 16_500
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      for first in stride(from: 1 as UInt64, through: count, by: 5500) {
        _ = try await harness.ingest.report(
          (first..<first + 5500).map { run.report($0, loss: Double($0)) },
          for: run
        )
      }
      let series = try await timeline(
        harness,
        .with { ($0.runID, $0.selector.tensor) = ("r", "dense_0.weight") }
      )
      #expect(series["dense_0.weight"]?.steps == Array(0..<count))
      #expect(series["dense_0.weight"]?.count.isEmpty == true)
      let stored = try await losses(harness, run)
      #expect(stored.count == Int(count))
      #expect(stored[count - 1] == Double(count))
    }
  }

  @Test(
    "learning rate and global norm are series of their own",
    arguments: [
      (Gradwatch_V1_StepMetric.learningRate, "learning_rate", 0.01),
      (.globalNorm, "global_norm", 3),
    ]
  )
  func stepMetrics(_ metric: Gradwatch_V1_StepMetric, _ name: String, _ value: Double) async throws
  {
    let run = try RunBuilder(run: "r", layers: 1)
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      var report = run.report(1)
      report.scalars.globalNorm = 3
      _ = try await harness.ingest.report([report], for: run)
      try await harness.query.getLossTimeline(
        .with { ($0.runID, $0.metric) = ("r", metric) }
      ) { response in
        var messages = response.messages.makeAsyncIterator()
        let first = try await messages.next()
        #expect(first?.name == name)
        #expect(first?.points.last == [value])
        #expect(first?.points.min.isEmpty == true)
      }
    }
  }

  @Test("a downsampled timeline loses no spike and no NaN")
  func downsampledTimeline() async throws {
    let run = try RunBuilder(run: "r", layers: 1)
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      let reports = (1...100 as ClosedRange<UInt64>).map { sequence in
        run.report(sequence, scale: sequence == 37 ? 1e6 : sequence == 62 ? .nan : 1)
      }
      _ = try await harness.ingest.report(reports, for: run)
      let series = try await timeline(
        harness,
        .with { ($0.runID, $0.selector.roles, $0.maxPoints) = ("r", [.weight], 10) }
      )
      let points = try #require(series["dense_0.weight"])
      #expect(points.steps == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90])
      #expect(points.lastSteps == [9, 19, 29, 39, 49, 59, 69, 79, 89, 99])
      #expect(points.count == Array(repeating: 10, count: 10))
      #expect(points.max[3] > 8e5)
      #expect(points.nonFiniteCount == [0, 0, 0, 0, 0, 0, 1, 0, 0, 0])
    }
  }

  @Test("histograms come back as they were sent, and merged they keep every element")
  func histograms() async throws {
    let run = try RunBuilder(run: "r", layers: 1)
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      _ = try await harness.ingest.report(
        (1...20).map { run.report($0, histograms: true) },
        for: run
      )
      func points(_ maximum: UInt32) async throws -> [Gradwatch_V1_HistogramPoint] {
        try await harness.query.getHistograms(
          .with {
            ($0.runID, $0.selector.tensor, $0.maxPoints) = ("r", "dense_0.weight", maximum)
          }
        ) { response in
          var points: [Gradwatch_V1_HistogramPoint] = []
          for try await message in response.messages { points += message.points }
          return points
        }
      }
      let all = try await points(0)
      #expect(all.map(\.firstStep) == Array(0..<20))
      #expect(all[0].exponential.zeroCount == 1)
      #expect(all[0].exponential.positiveOffset == -3)
      #expect(all[0].exponential.positiveCounts == [1, 13])
      #expect(all[0].exponential.negativeCounts == [1])
      let merged = try await points(2)
      #expect(merged.map(\.mergedCount) == [10, 10])
      #expect(merged.map(\.exponential.positiveCounts) == [[10, 130], [10, 130]])
      #expect(merged.map(\.lastStep) == [9, 19])
    }
  }

  @Test("a page of histograms ends behind a step, though that has both forms")
  func histogramPages() async throws {
    let run = try RunBuilder(run: "r", layers: 1)
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      // 1,500 steps with two histograms of a tensor each but the first, so that messages of 1,024 end within a step.
      for first in stride(from: UInt64(1), through: 1500, by: 500) {
        let reports = (first..<first + 500).map { sequence in
          var report = run.report(sequence, histograms: true)
          guard sequence > 1 else { return report }
          var column = ExplicitHistogramColumn()
          column.bounds = [0]
          column.counts = run.registration.model.tensors.flatMap { [0, $0.elementCount] }
          report.explicitHistograms = column
          return report
        }
        _ = try await harness.ingest.report(reports, for: run)
      }
      let found = try await harness.query.getHistograms(
        .with { ($0.runID, $0.selector.tensor) = ("r", "dense_0.weight") }
      ) { response in
        var found: [String] = []
        for try await message in response.messages {
          found += message.points.map { "\($0.firstStep) \($0.exponential.zeroCount)" }
        }
        return found
      }
      #expect(found == ["0 1"] + (1..<1500).flatMap { ["\($0) 1", "\($0) 0"] })
    }
  }

  @Test("layers are listed in forward order, with their tensors, in pages")
  func layers() async throws {
    let run = try RunBuilder(run: "r", layers: 5)
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      var names: [String] = []
      var token = ""
      repeat {
        let page = try await harness.query.listLayers(
          .with { ($0.runID, $0.pageSize, $0.pageToken) = ("r", 2, token) }
        )
        #expect(page.layers.count <= 2)
        #expect(page.layers.allSatisfy { $0.tensors.count == 2 })
        names += page.layers.map(\.layer.name)
        token = page.nextPageToken
      } while !token.isEmpty
      #expect(names == ["dense_0", "dense_1", "dense_2", "dense_3", "dense_4"])
    }
  }

  @Test("runs are listed newest first, by project and status, in pages")
  func runs() async throws {
    try await withCollectorOnDisk { harness in
      for index in 0..<5 {
        let run = try RunBuilder(run: "r\(index)", project: index % 2 == 0 ? "even" : "odd")
        _ = try await harness.ingest.register(run)
        harness.clock.advance(seconds: 1)
      }
      _ = try await harness.ingest.finishRun(
        .with { ($0.runID, $0.status) = ("r2", .finished) }
      )
      let first = try await harness.query.listRuns(.with { $0.pageSize = 3 })
      #expect(first.runs.map(\.runID) == ["r4", "r3", "r2"])
      let second = try await harness.query.listRuns(
        .with { ($0.pageSize, $0.pageToken) = (3, first.nextPageToken) }
      )
      #expect(second.runs.map(\.runID) == ["r1", "r0"])
      #expect(second.nextPageToken.isEmpty)
      let odd = try await harness.query.listRuns(.with { $0.project = "odd" })
      #expect(odd.runs.map(\.runID) == ["r3", "r1"])
      let finished = try await harness.query.listRuns(.with { $0.status = .finished })
      #expect(finished.runs.map(\.runID) == ["r2"])
    }
  }

  @Test("what is asked wrongly is refused with the field, what is unknown is NOT_FOUND")
  func badQueries() async throws {
    let run = try RunBuilder(run: "r")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      _ = try await harness.ingest.report([run.report(1)], for: run)
      func code(_ request: Gradwatch_V1_GetLayerTimelineRequest) async -> RPCError.Code? {
        do {
          _ = try await timeline(harness, request)
          return nil
        } catch { return (error as? RPCError)?.code }
      }
      #expect(await code(.with { $0.runID = "unknown" }) == .notFound)
      #expect(await code(.with { ($0.runID, $0.producerID) = ("r", "unknown") }) == .notFound)
      #expect(await code(.with { ($0.runID, $0.selector.layer) = ("r", "conv*") }) == .notFound)
      #expect(await code(.with { ($0.runID, $0.maxPoints) = ("r", 1_000_000) }) == .invalidArgument)
      #expect(
        await code(.with { ($0.runID, $0.steps.first, $0.steps.last) = ("r", 5, 4) })
          == .invalidArgument
      )
      #expect(
        await code(.with { ($0.runID, $0.metric) = ("r", .UNRECOGNIZED(99)) }) == .invalidArgument
      )
      #expect(await code(.with { $0.runID = "" }) == .invalidArgument)
      #expect(await code(.with { $0.runID = "r" }) == nil)
      let token = await #expect(throws: RPCError.self) {
        _ = try await harness.query.listRuns(.with { $0.pageToken = "x" })
      }
      #expect(token?.code == .invalidArgument)
      for request in [
        .with { $0.minimumSeverity = .UNRECOGNIZED(9) }, .with { $0.states = [.UNRECOGNIZED(9)] },
        .with { $0.rules = (0...1000).map { "rule_\($0)" } },
      ] as [Gradwatch_V1_ListAlertsRequest] {
        let error = await #expect(throws: RPCError.self) {
          _ = try await harness.query.listAlerts(request)
        }
        #expect(error?.code == .invalidArgument)
      }
      let status = await #expect(throws: RPCError.self) {
        _ = try await harness.query.listRuns(.with { $0.status = .UNRECOGNIZED(9) })
      }
      #expect(status?.message == "status: expected a known value, found 9")
      for count in 1...5 {
        let rules = (0..<count).map { "rule_\($0)" }
        #expect(try await harness.query.listAlerts(.with { $0.rules = rules }).alerts.isEmpty)
      }
    }
  }

  private func timeline(
    _ harness: Harness,
    _ request: Gradwatch_V1_GetLayerTimelineRequest
  ) async throws -> [String: Gradwatch_V1_SeriesColumns] {
    try await harness.query.getLayerTimeline(request) { response in
      var series: [String: Gradwatch_V1_SeriesColumns] = [:]
      for try await message in response.messages {
        series[message.tensorName, default: .init()].merge(message.points)
      }
      return series
    }
  }
}

extension Gradwatch_V1_SeriesColumns {
  /// Adds the points of a later message of the same series.
  fileprivate mutating func merge(_ other: Self) {
    steps += other.steps
    lastSteps += other.lastSteps
    last += other.last
    min += other.min
    max += other.max
    count += other.count
    nonFiniteCount += other.nonFiniteCount
  }
}
