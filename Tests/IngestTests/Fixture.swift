import Ingest
import Telemetry

/// A model of two layers and three tensors, of 16, 4 and 8 elements, and reports for it.
enum Fixture {
  static func model() throws -> Model {
    try Model(
      layers: [Layer(name: "hidden"), Layer(name: "output")],
      tensors: [
        Tensor(name: "hidden.weight", layer: 0, role: .weight, elementCount: 16),
        Tensor(name: "hidden.bias", layer: 0, role: .bias, elementCount: 4),
        Tensor(name: "output.weight", layer: 1, role: .head, elementCount: 8),
      ]
    )
  }

  static func report(_ sequence: UInt64, step: UInt64 = 0) -> StepReport {
    StepReport(
      sequence: sequence,
      scalars: StepScalars(step: step, wallTime: WallTime(clamping: 1))
    )
  }

  /// What becomes of the first report of a producer, if it says what `edit` makes it say.
  static func decision(_ edit: (inout StepReport) -> Void) throws -> Decision {
    var report = report(1)
    edit(&report)
    var sequencer = ProducerSequencer(model: try model(), lastSequence: 0, lastStep: nil)
    return sequencer.receive(.success(report), sequence: 1)
  }
}

extension Decision {
  var isAccepted: Bool {
    if case .accept = self { true } else { false }
  }

  var error: TelemetryError? {
    if case .refuse(let error) = self { error } else { nil }
  }
}

extension ProducerSequencer {
  /// Takes a well-formed report.
  mutating func receive(_ report: StepReport) -> Decision {
    receive(.success(report), sequence: report.sequence)
  }
}
