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

  /// From this width on a summary has room in its row.
  private static let wide = 170

  /// The table for people; what a narrow terminal has no room for stands below an alert's row.
  ///
  /// - Parameters:
  ///   - alerts: The alerts.
  ///   - showsRun: Whether they are of several runs.
  ///   - terminal: Where the table goes.
  /// - Returns: The lines, each with its line feed.
  static func rendered(
    _ alerts: [Gradwatch_V1_Alert],
    showsRun: Bool,
    on terminal: Terminal
  ) -> String {
    guard !alerts.isEmpty else { return "no alerts\n" }
    let isWide = (terminal.columns ?? wide) >= wide
    var table = Table(columns: [
      .init("SEVERITY"), .init("STATE"), .init("RULE"), .init("WHERE", truncation: .middle),
      .init("SINCE", alignment: .trailing), .init("SURE", alignment: .trailing),
      .init("RUN", truncation: .middle), .init("ALERT"), .init("SUMMARY", truncation: .end),
    ])
    for alert in alerts {
      let run = showsRun ? alert.runID : ""
      let row = [
        Table.Cell(alert.severity.word, alert.severity.style),
        Table.Cell(alert.state.word, alert.state.style), Table.Cell(alert.rule, .emphasis),
        Table.Cell(AlertPlace().words(alert)), "\(alert.firstStep)",
        Table.Cell(NumberText.percent(alert.confidence)),
      ]
      if isWide {
        table.append(
          row + [Table.Cell(run), Table.Cell(alert.alertID, .faint), Table.Cell(alert.summary)]
        )
      } else {
        let parts = [alert.alertID, run, alert.summary].filter { !$0.isEmpty }
        table.append(row, note: Table.Cell(parts.joined(separator: "  "), .faint))
      }
    }
    table.removeEmptyColumns()
    return table.rendered(on: terminal)
  }
}
