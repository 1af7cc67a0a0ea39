import TelemetryWire
import TerminalOutput

/// Alerts as a table and as records.
enum AlertsTable {
  /// The columns for programs.
  static let columns = [
    "alert_id", "run_id", "producer_id", "severity", "state", "rule", "place", "first_step",
    "fired_step", "resolved_step", "confidence", "quantity", "observed", "baseline", "threshold",
    "started_at", "fired_at", "acknowledged_at", "acknowledged_by", "resolved_at",
    "reopened_count", "summary", "cause", "first_remedy",
  ]

  /// The fields of an alert, in the columns' order.
  static func fields(of alert: Gradwatch_V1_Alert) -> [DelimitedText.Field] {
    let evidence = alert.evidence
    return [
      .text(alert.alertID), .text(alert.runID), .text(alert.producerID),
      .text(alert.severity.word), .text(alert.state.word), .text(alert.rule),
      .text(AlertPlace().words(alert)), .integer(alert.firstStep),
      alert.hasFiredStep ? .integer(alert.firedStep) : .missing,
      alert.hasResolvedStep ? .integer(alert.resolvedStep) : .missing, .real(alert.confidence),
      .text(evidence.quantity), .real(evidence.observed),
      evidence.hasBaseline ? .real(evidence.baseline) : .missing,
      evidence.hasThreshold ? .real(evidence.threshold) : .missing, .text(alert.startedAt.text),
      alert.hasFiredAt ? .text(alert.firedAt.text) : .missing,
      alert.hasAcknowledgedAt ? .text(alert.acknowledgedAt.text) : .missing,
      .text(alert.acknowledgedBy),
      alert.hasResolvedAt ? .text(alert.resolvedAt.text) : .missing,
      .integer(UInt64(alert.reopenedCount)), .text(alert.summary), .text(alert.cause),
      .text(alert.remedies.first?.action ?? ""),
    ]
  }

  /// The table for people; with a column for the run if they are of several.
  static func rendered(
    _ alerts: [Gradwatch_V1_Alert],
    showsRun: Bool,
    on terminal: Terminal
  ) -> String {
    guard !alerts.isEmpty else { return "no alerts\n" }
    var columns: [Table.Column] = [
      .init("ALERT"), .init("SEVERITY"), .init("STATE"), .init("RULE"),
      .init("WHERE", truncation: .middle), .init("SINCE", alignment: .trailing),
      .init("SURE", alignment: .trailing), .init("SUMMARY", truncation: .end),
    ]
    if showsRun { columns.insert(.init("RUN", truncation: .middle), at: 1) }
    var table = Table(columns: columns)
    for alert in alerts {
      var row = [
        Table.Cell(alert.alertID, .faint), Table.Cell(alert.severity.word, alert.severity.style),
        Table.Cell(alert.state.word, alert.state.style), Table.Cell(alert.rule, .emphasis),
        Table.Cell(AlertPlace().words(alert)), "\(alert.firstStep)",
        Table.Cell(NumberText.percent(alert.confidence)), Table.Cell(alert.summary),
      ]
      if showsRun { row.insert(Table.Cell(alert.runID), at: 1) }
      table.append(row)
    }
    return table.rendered(on: terminal)
  }
}
