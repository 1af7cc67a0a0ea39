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

@Suite("Two runs compared by a collector", .timeLimit(.minutes(1)))
struct ComparisonTests {
  private typealias Harness = CollectorHarness<InProcessTransport.Client>

  @Test("a fault in one layer is found in the log and in chunks, with alerts and losses beside")
  func fault() async throws {
    let (a, b) = (try RunBuilder(run: "a"), try RunBuilder(run: "b"))
    try await withCollectorOnDisk { harness in
      for run in [a, b] { _ = try await harness.ingest.register(run) }
      // 300 reports: 256 of them get sealed, and the fault begins there.
      let reports = (1...300 as ClosedRange<UInt64>).map { a.report($0) }
      _ = try await harness.ingest.report(reports, for: a)
      let faulty = reports.map { report in
        var report = report
        if report.step >= 240 { report.gradients.norm[2] *= 1000 }
        if report.step >= 280 { report.scalars.losses[0].value = .nan }
        return report
      }
      _ = try await harness.ingest.report(faulty, for: b)

      let (run, layers) = try await compare(harness) { $0.maxPoints = 30 }
      #expect(run.a.runID == "a" && run.b.runID == "b")
      #expect(run.identicalUntilStep == 239)
      #expect(run.firstDifferenceStep == 240)
      #expect(run.firstDifferences == ["dense_1.weight"])
      #expect(run.firstParting.layerName == "dense_1")
      #expect(run.firstParting.parting.step == 240)
      #expect(run.firstParting.parting.kind == .ratio)
      #expect(run.firstParting.parting.b > 500 * run.firstParting.parting.a)
      #expect(run.summary.contains("They part at step 240 in dense_1"))
      #expect(run.losses.map(\.name) == ["loss"])
      #expect(run.losses[0].parting.step == 280)
      #expect(run.losses[0].parting.kind == .nonFinite)
      #expect(run.losses[0].b.firstNonFiniteStep == 280)
      #expect(!run.losses[0].a.hasFirstNonFiniteStep)
      #expect(run.rules.contains { $0.rule == "non_finite_loss" && $0.hasB && !$0.hasA })
      #expect(layers.map(\.layerName) == ["dense_0", "dense_1", "dense_2"])
      #expect(layers.map(\.hasParting) == [false, true, false])
      #expect(layers.allSatisfy { $0.a.steps.count == 30 && $0.a.steps == $0.b.steps })
      #expect(layers[1].b.max[24] > 500)

      let later = try await compare(harness) { ($0.steps.first, $0.selector.layer) = (250, "*_0") }
      #expect(later.run.identicalUntilStep == 279)
      #expect(later.layers.count == 1)
    }
  }

  @Test("a rewind replaces what is compared, and ranks of one run can be compared")
  func rewind() async throws {
    let a = try RunBuilder(run: "a")
    let second = try RunBuilder(run: "a", producer: "p1")
    try await withCollectorOnDisk { harness in
      for run in [a, second] {
        _ = try await harness.ingest.register(run)
        var reports = (1...50 as ClosedRange<UInt64>).map { run.report($0) }
        if run.registration.producer.id.rawValue == "p1" {
          for index in 20..<50 { reports[index].gradients.norm[0] = 100 }
        }
        _ = try await harness.ingest.report(reports, for: run)
      }
      let ranks: @Sendable (inout Gradwatch_V1_CompareRunsRequest) -> Void = {
        ($0.producerA, $0.producerB) = ("p0", "p1")
      }
      #expect(try await compare(harness, b: "a", ranks).run.firstParting.parting.step == 20)
      // The job restarts from its checkpoint of step 20, and all is well.
      let again = (51...80 as ClosedRange<UInt64>).map { second.report($0, step: $0 - 31) }
      _ = try await harness.ingest.report(again, for: second)
      let (run, _) = try await compare(harness, b: "a", ranks)
      #expect(!run.hasFirstParting)
      #expect(run.identicalUntilStep == 49)
    }
  }

  @Test("what can't be compared says which run, and what is missing")
  func badQueries() async throws {
    let (a, b) = (try RunBuilder(run: "a"), try RunBuilder(run: "b"))
    try await withCollectorOnDisk { harness in
      for run in [a, b] { _ = try await harness.ingest.register(run) }
      _ = try await harness.ingest.report([a.report(1)], for: a)
      @Sendable func failure(
        a: String = "a",
        b: String = "b",
        _ edit: @Sendable (inout Gradwatch_V1_CompareRunsRequest) -> Void = { _ in }
      ) async throws -> (code: RPCError.Code?, reason: String?, message: String?) {
        do {
          _ = try await compare(harness, a: a, b: b, edit)
          return (nil, nil, nil)
        } catch {
          let error = error as? RPCError
          return (error?.code, try errorInfo(of: error)?.reason, error?.message)
        }
      }
      let none = try await failure()
      #expect(none.code == .failedPrecondition && none.reason == "NO_COMMON_STEP")
      _ = try await harness.ingest.report([b.report(1, step: 5)], for: b)
      #expect(try await failure().reason == "NO_COMMON_STEP")
      let unknown = try await failure(b: "nowhere")
      #expect(unknown.code == .notFound && unknown.message?.contains("run nowhere") == true)
      let same = try await failure(b: "a")
      #expect(same.code == .invalidArgument && same.reason == "SAME_RUN")
      let empty = try await failure(a: "")
      #expect(empty.message == "run_a: expected a name, found an empty string")
      #expect(empty.code == .invalidArgument)
      #expect(try await failure { $0.selector.layer = "conv*" }.reason == "NO_COMMON_TENSOR")
      for edit in [
        { $0.maxPoints = 1001 }, { $0.maxLayers = 1001 }, { $0.partingSteps = 1001 },
        { $0.logRatioBound = 0 }, { $0.logRatioBound = .nan }, { $0.metric = .UNRECOGNIZED(99) },
        { ($0.steps.first, $0.steps.last) = (5, 4) },
      ] as [@Sendable (inout Gradwatch_V1_CompareRunsRequest) -> Void] {
        #expect(try await failure(edit).code == .invalidArgument)
      }
    }
  }

  @Sendable private func compare(
    _ harness: Harness,
    a: String = "a",
    b: String = "b",
    _ edit: @Sendable (inout Gradwatch_V1_CompareRunsRequest) -> Void
  ) async throws -> (
    run: Gradwatch_V1_RunComparison, layers: [Gradwatch_V1_LayerComparison]
  ) {
    var request = Gradwatch_V1_CompareRunsRequest.with { ($0.runA, $0.runB) = (a, b) }
    edit(&request)
    let parts = try await harness.query.compareRuns(request) { response in
      var parts: [Gradwatch_V1_CompareRunsResponse] = []
      for try await part in response.messages { parts.append(part) }
      return parts
    }
    return (try #require(parts.first).comparison, parts.dropFirst().map(\.layer))
  }
}
