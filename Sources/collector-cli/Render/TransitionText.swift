import TelemetryWire
import TerminalOutput

/// A change of an alert for people who watch: what and where, and below it the summary.
enum TransitionText {
  /// An alert that was open already.
  static func rendered(open alert: Gradwatch_V1_Alert, on terminal: Terminal) -> String {
    line(alert, at: alert.hasFiredAt ? alert.firedAt.text : alert.startedAt.text, on: terminal)
  }

  /// A change.
  static func rendered(
    _ transition: Gradwatch_V1_AlertTransition,
    on terminal: Terminal
  ) -> String {
    line(transition.alert, at: transition.at.text, on: terminal)
  }

  private static func line(
    _ alert: Gradwatch_V1_Alert,
    at time: String,
    on terminal: Terminal
  ) -> String {
    // Seconds are enough to read along: 2026-11-21T07:15:00.250Z without date and fraction.
    let clock = time.dropFirst(11).prefix(8)
    let severity = alert.severity.word.padded(to: 8)
    let isOver = alert.state == .resolved
    let first = [
      terminal.paint("\(clock)Z", .faint),
      terminal.paint(severity, isOver ? .faint : alert.severity.style),
      terminal.paint(alert.state.word.padded(to: 12), alert.state.style),
      terminal.paint(alert.rule, .emphasis), terminal.paint(AlertPlace().words(alert)),
      terminal.paint("since step \(alert.firstStep)"), terminal.paint(alert.runID, .faint),
    ]
    return first.joined(separator: "  ") + "\n"
      + Paragraph.labelled(
        "",
        indentation: 11,
        text: "\(alert.summary) (\(alert.alertID))",
        on: terminal
      )
  }
}
