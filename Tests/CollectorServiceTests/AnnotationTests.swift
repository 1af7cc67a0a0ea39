import CollectorTesting
import GRPCCore
import SwiftProtobuf
import Telemetry
import TelemetryTesting
import TelemetryWire
import Testing

@Suite("What was done about a run", .timeLimit(.minutes(1)))
struct AnnotationTests {
  @Test("annotations are listed newest first, by producer and steps, in pages; a rewind drops some")
  func flow() async throws {
    let run = try RunBuilder(run: "r")
    let second = try RunBuilder(run: "r", producer: "p1")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      _ = try await harness.ingest.register(second)
      let reports = (1...30 as ClosedRange<UInt64>).map { sequence in
        var report = run.report(sequence)
        if sequence % 10 == 0 {
          report.scalars.annotations = [
            StepAnnotation(
              action: "lower_rate",
              detail: "to \(sequence)",
              alert: AlertID("0123456789abcdef")
            ), StepAnnotation(action: "clip"),
          ]
        }
        return report
      }
      _ = try await harness.ingest.report(reports, for: run)
      var other = second.report(1)
      other.scalars.annotations = [StepAnnotation(action: "stop")]
      _ = try await harness.ingest.report([other], for: second)

      @Sendable func list(
        _ edit: @Sendable (inout Gradwatch_V1_ListAnnotationsRequest) -> Void = { _ in }
      ) async throws -> [String] {
        var request = Gradwatch_V1_ListAnnotationsRequest.with { $0.runID = "r" }
        edit(&request)
        var found: [String] = []
        repeat {
          let page = try await harness.query.listAnnotations(request)
          found += page.annotations.map { "\($0.producerID) \($0.step) \($0.annotation.action)" }
          request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
        return found
      }
      let all = [
        "p1 0 stop", "p0 29 clip", "p0 29 lower_rate", "p0 19 clip", "p0 19 lower_rate",
        "p0 9 clip", "p0 9 lower_rate",
      ]
      #expect(try await list() == all)
      #expect(try await list { $0.pageSize = 2 } == all)
      #expect(try await list { $0.producerID = "p1" } == ["p1 0 stop"])
      #expect(
        try await list { ($0.steps.first, $0.steps.last) = (10, 20) } == Array(all[3...4])
      )
      let entry = try await harness.query.listAnnotations(
        .with { ($0.runID, $0.steps.first) = ("r", 20) }
      ).annotations.last
      #expect(entry?.annotation.detail == "to 30")
      #expect(entry?.annotation.alertID == "0123456789abcdef")
      #expect(entry?.receivedAt.seconds == Int64(harness.clock.now.seconds))

      _ = try await harness.ingest.report([run.report(31, step: 19)], for: run)
      #expect(try await list() == ["p1 0 stop"] + all[5...])
    }
  }

  @Test("a report with an annotation that is wrong is refused, naming place, expected and found")
  func refusal() async throws {
    let run = try RunBuilder(run: "r")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      var wrong = run.report(1)
      wrong.scalars.annotations = [StepAnnotation(action: "clip"), StepAnnotation(action: "")]
      var many = run.report(2)
      many.scalars.annotations = Array(repeating: StepAnnotation(action: "clip"), count: 17)
      let ack = try await harness.ingest.report([wrong, many, run.report(3)], for: run).ack
      #expect(ack.sequence == 3)
      #expect(ack.refusals.map(\.field) == ["annotations[1].action", "annotations"])
      #expect(
        ack.refusals.map(\.reason) == [
          "annotations[1].action: expected a name, found an empty string",
          "annotations: expected at most 16, found 17",
        ]
      )
      let listed = try await harness.query.listAnnotations(.with { $0.runID = "r" })
      #expect(listed.annotations.isEmpty)
    }
  }

  @Test("what is asked wrongly is refused, what is unknown is NOT_FOUND")
  func badQueries() async throws {
    let run = try RunBuilder(run: "r")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      func code(_ request: Gradwatch_V1_ListAnnotationsRequest) async -> RPCError.Code? {
        do {
          _ = try await harness.query.listAnnotations(request)
          return nil
        } catch { return (error as? RPCError)?.code }
      }
      #expect(await code(.with { $0.runID = "r" }) == nil)
      #expect(await code(.with { $0.runID = "" }) == .invalidArgument)
      #expect(await code(.with { $0.runID = "unknown" }) == .notFound)
      #expect(await code(.with { ($0.runID, $0.producerID) = ("r", "unknown") }) == .notFound)
      #expect(await code(.with { ($0.runID, $0.pageSize) = ("r", 1001) }) == .invalidArgument)
      #expect(await code(.with { ($0.runID, $0.pageToken) = ("r", "x") }) == .invalidArgument)
      #expect(
        await code(.with { ($0.runID, $0.steps.first, $0.steps.last) = ("r", 5, 4) })
          == .invalidArgument
      )
    }
  }
}
