import TelemetryWire
import TerminalOutput

/// One line a change of an alert, for people who watch.
enum TransitionLine {
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
    let isOver = alert.state == .resolved
    return terminal.paint("\(clock)Z", .faint) + "  "
      + terminal.paint(
        alert.severity.word.padded(to: 8),
        isOver ? .faint : alert.severity.style
      ) + "  " + terminal.paint(alert.state.word.padded(to: 12), alert.state.style) + "  "
      + terminal.paint(alert.runID) + "  " + terminal.paint(alert.rule, .emphasis) + "  "
      + terminal.paint(AlertPlace().words(alert)) + "  "
      + terminal.paint("since step \(alert.firstStep): \(alert.summary)")
      + terminal.paint("  \(alert.alertID)", .faint) + "\n"
  }
}
