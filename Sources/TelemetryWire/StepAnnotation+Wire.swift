public import Telemetry

extension StepAnnotation {
  /// Takes an annotation from the wire and checks its texts.
  ///
  /// - Parameters:
  ///   - wire: The annotation.
  ///   - field: Where it stood, for the error.
  /// - Throws: ``Telemetry/TelemetryError`` for a text that ``Telemetry/Name`` refuses; detail and alert
  ///   may be empty.
  init(
    wire: borrowing Gradwatch_V1_StepAnnotation,
    field: String
  ) throws(TelemetryError) {
    try Name.check(wire.action, field: field + ".action")
    if !wire.detail.isEmpty { try Name.check(wire.detail, field: field + ".detail") }
    if !wire.alertID.isEmpty { try Name.check(wire.alertID, field: field + ".alert_id") }
    self.init(
      action: wire.action,
      detail: wire.detail,
      alert: wire.alertID.isEmpty ? nil : AlertID(wire.alertID)
    )
  }
}

extension Gradwatch_V1_StepAnnotation {
  /// Makes the wire form of an annotation.
  public init(_ annotation: StepAnnotation) {
    self.init()
    action = annotation.action
    detail = annotation.detail
    alertID = annotation.alert?.rawValue ?? ""
  }
}
