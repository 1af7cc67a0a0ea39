import Detection
import Telemetry
import TelemetryTesting

/// Alerts as the detector raises them.
enum AlertSamples {
  /// The transitions of a run that goes through every trouble there is a report for.
  static func transitions(using random: inout SeededGenerator) throws -> [AlertTransition] {
    let run = try RunBuilder(run: "fuzz")
    var detector = Detector(
      run: run.registration.run,
      producer: run.registration.producer.id,
      model: run.registration.model
    )
    var transitions: [AlertTransition] = []
    for sequence in UInt64(1)...120 {
      let trouble = TroubledReport.allCases.randomElement(using: &random) ?? .healthy
      let report = trouble.report(sequence, of: run)
      transitions += detector.observe(report, receivedAt: report.scalars.wallTime)
    }
    return transitions
  }
}

/// Kinds of reports at which rules fire.
enum TroubledReport: CaseIterable {
  case healthy, exploding, vanishing, nonFinite, infiniteLoss, flat

  /// A report of this kind.
  func report(_ sequence: UInt64, step: UInt64? = nil, of run: RunBuilder) -> StepReport {
    switch self {
    case .healthy: run.report(sequence, step: step, histograms: true)
    case .exploding: run.report(sequence, step: step, scale: 1e8, loss: 1e6)
    case .vanishing: run.report(sequence, step: step, scale: 1e-12)
    case .nonFinite: run.report(sequence, step: step, scale: .nan)
    case .infiniteLoss: run.report(sequence, step: step, loss: .infinity)
    case .flat: run.report(sequence, step: step, loss: 2)
    }
  }
}
