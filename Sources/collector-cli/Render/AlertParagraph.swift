import TelemetryWire
import TerminalOutput

/// One alert as a researcher wants it told: where, since when, how sure, why, and what to try
/// first.
struct AlertParagraph {
  let alert: Gradwatch_V1_Alert
  let place: AlertPlace
  /// The rest of the command that acknowledges it, such as `--server`; empty if none is needed.
  let commandSuffix: String

  private static let indentation = 13

  /// The lines, each with its line feed.
  func rendered(on terminal: Terminal) -> String {
    let evidence = alert.evidence
    var text = title(on: terminal)
    text += entry("what", alert.summary, on: terminal)
    text += entry("where", place.words(alert), .emphasis, on: terminal)
    text += entry("since", since, on: terminal)
    text += entry("how sure", Sureness.words(alert.confidence), on: terminal)
    text += entry("why", alert.cause, on: terminal)
    text += entry("evidence", alert.hasEvidence ? evidence.measured : "", on: terminal)
    if evidence.recent.count > 1 {
      let course = Sparkline.render(evidence.recent.map(\.value), on: terminal)
      let (first, last) = (evidence.recent[0].step, evidence.recent[evidence.recent.count - 1].step)
      text += label("", on: terminal) + course
      text += "  " + terminal.paint("steps \(first) to \(last)", .faint) + "\n"
    }
    if !evidence.facts.isEmpty {
      let facts = evidence.facts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
      text += entry("facts", facts.joined(separator: ", "), on: terminal)
    }
    text += remedies(on: terminal)
    return text + command(on: terminal)
  }

  private func title(on terminal: Terminal) -> String {
    terminal.paint(
      terminal.glyph("■ ", "# ") + alert.severity.word.uppercased(),
      alert.severity.style
    )
      + "  " + terminal.paint(alert.rule, .emphasis) + "  "
      + terminal.paint(alert.state.word, alert.state.style)
      + (alert.acknowledgedBy.isEmpty
        ? "" : terminal.paint(" by \(alert.acknowledgedBy)", .faint)) + "\n"
  }

  private var since: String {
    var parts = ["step \(alert.firstStep)"]
    if alert.hasFiredStep { parts.append("fired at step \(alert.firedStep)") }
    if alert.hasResolvedStep { parts.append("resolved at step \(alert.resolvedStep)") }
    if alert.reopenedCount > 0 { parts.append("came back \(alert.reopenedCount) times") }
    parts.append(alert.startedAt.age)
    return parts.joined(separator: ", ")
  }

  private func remedies(on terminal: Terminal) -> String {
    alert.remedies.enumerated().reduce(into: "") { text, entry in
      let (index, remedy) = entry
      let label = (index == 0 ? "  try first" : "").padded(to: Self.indentation)
      let indentation = Self.indentation + 3
      text += Paragraph.labelled(
        "\(label)\(index + 1).",
        .faint,
        indentation: indentation,
        text: remedy.action,
        style: index == 0 ? .emphasis : .plain,
        on: terminal
      )
      text += Paragraph.labelled(
        "",
        indentation: indentation,
        text: remedy.reason,
        style: .faint,
        on: terminal
      )
    }
  }

  private func command(on terminal: Terminal) -> String {
    guard alert.state == .firing else { return entry("alert", alert.alertID, .faint, on: terminal) }
    // On a line of its own and never wrapped, to be copied.
    return label("ack with", on: terminal)
      + terminal.paint("collector-cli ack \(alert.alertID)\(commandSuffix)") + "\n"
  }

  private func label(_ text: String, on terminal: Terminal) -> String {
    terminal.paint("  " + text, .faint)
      + String(repeating: " ", count: Self.indentation - 2 - text.count)
  }

  private func entry(
    _ label: String,
    _ text: String,
    _ style: Style = .plain,
    on terminal: Terminal
  ) -> String {
    Paragraph.labelled(
      "  " + label,
      .faint,
      indentation: Self.indentation,
      text: text,
      style: style,
      on: terminal
    )
  }
}
