import TelemetryWire
import TerminalOutput

/// The story of a run for people: the verdict, each root cause with what follows from it and what to
/// try, and what could not be seen.
struct DiagnosisPage {
  let diagnosis: Gradwatch_V1_Diagnosis

  private static let indentation = 13

  /// Takes the story.
  init(_ diagnosis: Gradwatch_V1_Diagnosis) { self.diagnosis = diagnosis }

  /// The lines, each with its line feed.
  func rendered(on terminal: Terminal) -> String {
    var text = header(on: terminal)
    for (index, root) in diagnosis.roots.enumerated() {
      text += "\n" + rendered(root, number: index + 1, on: terminal)
    }
    text += blindSpots(on: terminal)
    if diagnosis.omittedAlertCount > 0 {
      let count = NumberText.grouped(diagnosis.omittedAlertCount)
      text += "\n" + terminal.paint("\(count) later alerts are left out", .faint) + "\n"
    }
    guard !diagnosis.roots.isEmpty else { return text }
    return text + "\n"
      + terminal.paint("every alert: collector-cli query run \(diagnosis.runID)", .faint) + "\n"
  }

  // MARK: The verdict

  private func header(on terminal: Terminal) -> String {
    var text = terminal.paint(diagnosis.runID, .emphasis) + "  "
    text += terminal.paint(diagnosis.status.word, diagnosis.status.style) + "  "
    text += terminal.paint(diagnosis.verdict.word, verdictStyle) + "\n"
    text += entry("verdict", diagnosis.summary, .emphasis, on: terminal)
    if diagnosis.hasLastStep {
      let count = NumberText.grouped(diagnosis.stepCount)
      text += entry("steps", "\(count), the last is \(diagnosis.lastStep)", on: terminal)
    }
    if diagnosis.hasLoss { text += entry("loss", course(diagnosis.loss), on: terminal) }
    return text
  }

  private var verdictStyle: Style {
    switch diagnosis.verdict {
    case .healthy, .recovered: .success
    case .sick: diagnosis.openSeverity.style
    default: .faint
    }
  }

  private func course(_ loss: Gradwatch_V1_LossCourse) -> String {
    var text = "first \(NumberText.short(loss.first))"
    if loss.hasBest { text += ", best \(NumberText.short(loss.best)) at step \(loss.bestStep)" }
    text += ", last \(NumberText.short(loss.last))"
    if loss.hasFirstNonFiniteStep { text += ", not finite at step \(loss.firstNonFiniteStep)" }
    return text
  }

  // MARK: A root cause

  private func rendered(
    _ root: Gradwatch_V1_RootCause,
    number: Int,
    on terminal: Terminal
  ) -> String {
    let finding = root.finding
    var text = terminal.paint("\(number). ", .emphasis) + title(finding, on: terminal) + "\n"
    text += entry("what", finding.summary, on: terminal)
    text += entry("where", finding.place, .emphasis, on: terminal)
    text += entry("since", since(finding), on: terminal)
    text += entry("how sure", Sureness.words(finding.confidence), on: terminal)
    text += entry("why", finding.reason, on: terminal)
    if let alert = finding.alerts.first, alert.hasEvidence {
      text += entry("evidence", alert.evidence.measured, on: terminal)
    }
    if finding.alertIds.count > 1 {
      text += entry("alerts", "\(finding.alertIds.count) of this rule", on: terminal)
    }
    if !finding.consequences.isEmpty {
      text += terminal.paint("  explains", .faint) + "\n"
      text += consequences(finding.consequences, depth: 0, on: terminal)
    }
    text += remedies(root, on: terminal)
    return text
  }

  private func title(_ finding: Gradwatch_V1_Finding, on terminal: Terminal) -> String {
    terminal.paint(
      terminal.glyph("■ ", "# ") + finding.severity.word.uppercased(),
      finding.severity.style
    )
      + "  " + terminal.paint(finding.rule, .emphasis) + "  "
      + (finding.open
        ? terminal.paint("open", .emphasis) : terminal.paint("resolved", .success))
  }

  private func since(_ finding: Gradwatch_V1_Finding) -> String {
    var text = "step \(finding.firstStep), fired at step \(finding.firedStep)"
    if finding.hasResolvedStep { text += ", resolved at step \(finding.resolvedStep)" }
    return text
  }

  /// What follows from a finding, one below the other, each further in than its cause.
  private func consequences(
    _ findings: [Gradwatch_V1_Finding],
    depth: Int,
    on terminal: Terminal
  ) -> String {
    // Chains are short; one that is not must still leave room for words.
    let margin = 4 + 3 * min(depth, 6)
    let mark = terminal.glyph("└ ", "- ")
    return findings.reduce(into: "") { text, finding in
      text += String(repeating: " ", count: margin) + terminal.paint(mark, .faint)
      text += title(finding, on: terminal) + "\n"
      let place = "\(since(finding)); \(finding.place)"
      text += Paragraph.labelled("", indentation: margin + 4, text: place, on: terminal)
      let claim = finding.claim
      text += Paragraph.labelled(
        "",
        indentation: margin + 4,
        text: "because \(claim.reason) (\(Sureness.words(claim.confidence)))",
        style: .faint,
        on: terminal
      )
      text += consequences(finding.consequences, depth: depth + 1, on: terminal)
    }
  }

  private func remedies(_ root: Gradwatch_V1_RootCause, on terminal: Terminal) -> String {
    var text = ""
    for (index, remedy) in root.remedies.enumerated() {
      let label = index == 0 ? "  try first" : index == 1 ? "  then" : ""
      text += advice(
        label,
        "\(index + 1).",
        remedy,
        index == 0 ? .emphasis : .plain,
        on: terminal
      )
    }
    if root.remedies.count > 1 {
      text += entry("", "one change at a time; look again after each", .faint, on: terminal)
    }
    for caution in root.cautions { text += advice("  beware", "!", caution, .plain, on: terminal) }
    return text
  }

  private func advice(
    _ label: String,
    _ mark: String,
    _ remedy: Gradwatch_V1_Remedy,
    _ style: Style,
    on terminal: Terminal
  ) -> String {
    let indentation = Self.indentation + 3
    return Paragraph.labelled(
      label.padded(to: Self.indentation) + mark,
      .faint,
      indentation: indentation,
      text: remedy.action,
      style: style,
      on: terminal
    )
      + Paragraph.labelled(
        "",
        indentation: indentation,
        text: remedy.reason,
        style: .faint,
        on: terminal
      )
  }

  // MARK: What could not be seen

  private func blindSpots(on terminal: Terminal) -> String {
    guard !diagnosis.blindSpots.isEmpty else { return "" }
    var text = "\n" + terminal.paint("not seen, because it was never sent", .emphasis) + "\n"
    for spot in diagnosis.blindSpots {
      let columns = spot.columns.joined(separator: " or ")
      text += "  " + terminal.paint(columns) + "\n"
      text += Paragraph.labelled(
        "",
        indentation: 4,
        text: "blind: " + spot.rules.joined(separator: ", ") + producers(spot),
        style: .faint,
        on: terminal
      )
    }
    return text
  }

  /// Which producers lack a column, if the run has several.
  private func producers(_ spot: Gradwatch_V1_BlindSpot) -> String {
    let all = Set(diagnosis.blindSpots.flatMap(\.producerIds))
    guard all.count > 1 else { return "" }
    return "; from " + spot.producerIds.joined(separator: ", ")
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

extension Gradwatch_V1_Finding {
  /// Where it is: the layers, and the ranks that showed it.
  fileprivate var place: String {
    var text = layers.isEmpty ? "the run as a whole" : LayerNames.words(layers)
    if ranks.count == 1 { text += ", rank \(ranks[0])" }
    if ranks.count > 1 {
      text += ", ranks " + ranks.prefix(8).map { String($0) }.joined(separator: ", ")
      if ranks.count > 8 { text += " and \(ranks.count - 8) more" }
    }
    return text
  }
}
