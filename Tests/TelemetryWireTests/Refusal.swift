import Telemetry
import TelemetryWire
import Testing

/// A report that is wrong in one place, and what is said of it.
struct Refusal: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var error: TelemetryError
  var edit: @Sendable (inout Gradwatch_V1_StepReport) -> Void

  init(
    _ testDescription: String,
    _ error: TelemetryError,
    _ edit: @escaping @Sendable (inout Gradwatch_V1_StepReport) -> Void
  ) {
    self.testDescription = testDescription
    self.error = error
    self.edit = edit
  }

  /// Expects that a report with every field is taken, and refused after the edit.
  func check() throws {
    var wire = WireFixture.fullReport()
    _ = try StepReport(wire: wire.sent())
    edit(&wire)
    let sent = try wire.sent()
    #expect(throws: error) { try StepReport(wire: sent) }
  }
}
