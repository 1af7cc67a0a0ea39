import CollectorTesting
import GRPCCore
import GRPCInProcessTransport
import RunStore
import SwiftProtobuf
import Telemetry
import TelemetryTesting
import TelemetryWire

/// A run that explodes at step 60 and turns to NaN at 66, for tests of rules.
struct FaultyRun {
  let run: RunBuilder

  init(run: String = "r", project: String = "tests") throws {
    self.run = try RunBuilder(run: run, project: project)
  }

  /// Its 80 reports, of steps 0 to 79.
  var reports: [StepReport] {
    (1...80 as ClosedRange<UInt64>).map { sequence in
      let step = sequence - 1
      switch step {
      case ..<60: return run.report(sequence, histograms: true)
      case ..<66:
        var scale: Float = 1
        for _ in 59..<step { scale *= 100 }
        return run.report(sequence, scale: scale, loss: Double(scale))
      default:
        var report = run.report(sequence, scale: .infinity, loss: .nan)
        report.gradients.nanCount = report.gradients.norm.map { _ in 1 }
        return report
      }
    }
  }
}

extension Gradwatch_V1_RuleSet {
  /// Switches rules on or off.
  static func switched(_ rules: [String: Bool]) -> Gradwatch_V1_RuleSet {
    .with {
      $0.rules = rules.sorted { $0.key < $1.key }.map { rule, enabled in
        .with { ($0.rule, $0.enabled) = (rule, enabled) }
      }
    }
  }
}

extension CollectorHarness {
  /// Registers a run and sends reports of it.
  func send(_ reports: some Sequence<StepReport>, of run: FaultyRun) async throws {
    _ = try await ingest.register(run.run)
    _ = try await ingest.report(Array(reports), for: run.run)
  }

  /// The rules of which alerts fired.
  func firedRules() async throws -> Set<String> {
    let alerts = try await query.listAlerts(.init()).alerts
    return Set(alerts.filter(\.hasFiredStep).map(\.rule))
  }

  /// Every transition so far, a line each.
  func story() async throws -> [String] {
    try await alerts.subscribeAlerts(
      .with { ($0.cursor, $0.includePending) = (0, true) }
    ) { response in
      var story: [String] = []
      for try await message in response.messages {
        guard case .transition(let transition)? = message.event else { return story }
        let alert = transition.alert
        story.append(
          "\(transition.cursor) \(alert.alertID) \(alert.rule) \(alert.severity) "
            + "\(transition.fromState)>\(alert.state) at \(transition.step)"
        )
      }
      return story
    }
  }
}
