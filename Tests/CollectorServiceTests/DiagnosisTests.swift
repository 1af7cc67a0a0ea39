import CollectorTesting
import GRPCCore
import SwiftProtobuf
import Telemetry
import TelemetryTesting
import TelemetryWire
import Testing

@Suite("The story of a run, asked of a collector", .timeLimit(.minutes(1)))
struct DiagnosisTests {
  @Test("an explosion that ends in NaN is told as one story, with what every alert has")
  func explosion() async throws {
    let run = try RunBuilder(run: "r")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      let reports = (1...80 as ClosedRange<UInt64>).map { sequence in
        switch sequence {
        case ...60: return run.report(sequence)
        case ...66:
          var scale: Float = 1
          for _ in 60..<sequence { scale *= 100 }
          return run.report(sequence, scale: scale, loss: Double(scale))
        default: return run.report(sequence, scale: .infinity, loss: .nan)
        }
      }
      _ = try await harness.ingest.report(reports, for: run)
      let diagnosis = try await harness.query.diagnoseRun(.with { $0.runID = "r" }).diagnosis
      #expect(diagnosis.runID == "r")
      #expect(diagnosis.status == .running)
      #expect(diagnosis.verdict == .sick)
      #expect(diagnosis.openSeverity == .critical)
      #expect(diagnosis.stepCount == 80)
      #expect(diagnosis.lastStep == 79)
      #expect(diagnosis.loss.last.isNaN)
      #expect(diagnosis.loss.firstNonFiniteStep == 66)
      #expect(diagnosis.loss.bestStep == 59)

      let root = try #require(diagnosis.roots.first)
      let rules = root.finding.all.map(\.rule)
      #expect(rules.contains("non_finite_gradient") && rules.contains("non_finite_loss"))
      // Loss and gradient leave together; whichever rule saw it first, it was no consequence of NaN.
      #expect(rules.contains("exploding_gradient") && rules.first?.hasPrefix("non_finite") == false)
      #expect((60...62).contains(root.finding.firstStep))
      #expect(!root.remedies.isEmpty)
      // The story has every alert that fired, once.
      let alerts = try await harness.query.listAlerts(.with { $0.runID = "r" }).alerts
      let told = diagnosis.roots.flatMap(\.finding.all).flatMap(\.alertIds)
      #expect(told.sorted() == alerts.filter(\.hasFiredStep).map(\.alertID).sorted())
      #expect(diagnosis.alertCount == UInt64(told.count))
      #expect(root.finding.alerts.first == alerts.first { $0.alertID == told[0] })
      // RunBuilder sends no activations and, unless asked, no histograms.
      #expect(
        diagnosis.blindSpots.map(\.columns).contains(["activations.dead_unit_fraction"])
      )
      #expect(!diagnosis.blindSpots.map(\.columns).contains(["parameters.norm"]))
      #expect(diagnosis.blindSpots.allSatisfy { $0.producerIds == ["p0"] })
    }
  }

  @Test("a run that has sent nothing has no story, and an unknown one is NOT_FOUND")
  func withoutReports() async throws {
    let run = try RunBuilder(run: "r")
    try await withCollectorOnDisk { harness in
      _ = try await harness.ingest.register(run)
      let diagnosis = try await harness.query.diagnoseRun(.with { $0.runID = "r" }).diagnosis
      #expect(diagnosis.verdict == .noData)
      #expect(!diagnosis.hasLastStep && !diagnosis.hasLoss)
      #expect(diagnosis.roots.isEmpty && diagnosis.blindSpots.isEmpty)
      for (id, code) in [("unknown", RPCError.Code.notFound), ("", .invalidArgument)] {
        let error = await #expect(throws: RPCError.self) {
          _ = try await harness.query.diagnoseRun(.with { $0.runID = id })
        }
        #expect(error?.code == code)
      }
    }
  }
}

extension Gradwatch_V1_Finding {
  /// This finding and all below it.
  fileprivate var all: [Gradwatch_V1_Finding] { [self] + consequences.flatMap(\.all) }
}
