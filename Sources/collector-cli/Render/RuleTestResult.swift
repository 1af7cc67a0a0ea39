import RuleFile
import Telemetry
import TelemetryWire
import TerminalOutput

/// What a rule test found, for people and as records.
struct RuleTestResult {
  /// The alerts, in the collector's order.
  let alerts: [Gradwatch_V1_TestedAlert]
  /// What was replayed.
  let run: Gradwatch_V1_TestedRun
  /// What is not as the file expects, a sentence each.
  let mismatches: [String]

  private let events: [Gradwatch_V1_TestRulesResponse]
  private let expectationCount: Int

  /// Holds an answer against a file's expectations.
  init(_ events: [Gradwatch_V1_TestRulesResponse], expectations: [RuleExpectation]) {
    self.events = events
    expectationCount = expectations.count
    alerts = events.compactMap { event in
      if case .alert(let alert)? = event.event { alert } else { nil }
    }
    run = events.last?.run ?? .init()
    let fired = alerts.filter { $0.comparison != .removed }.map { tested in
      (
        rule: RuleID(tested.alert.rule), severity: Severity(wire: tested.alert.severity) ?? .info,
        firedStep: tested.alert.firedStep
      )
    }
    mismatches = expectations.compactMap { $0.mismatch(among: fired) }
  }

  /// Writes it in the form asked for.
  func write(to output: Output) throws {
    switch output.format {
    case .table: try output.write(rendered(on: output.terminal))
    case .json:
      try output.write(
        document: JSONText.object([
          "alerts": JSONText.array(try alerts.map(Output.json)), "run": try Output.json(run),
          "mismatches": JSONText.array(mismatches.map(JSONText.string)),
        ])
      )
    case .jsonl: for event in events { try output.write(line: event) }
    case .csv, .tsv:
      try output.write(
        columns: ["comparison", "recorded_severity", "recorded_fired_step"] + AlertsTable.columns,
        rows: alerts.map(fields)
      )
    }
  }

  private func fields(of tested: Gradwatch_V1_TestedAlert) -> [DelimitedText.Field] {
    [
      .text(tested.comparison.word),
      tested.hasRecorded ? .text(tested.recorded.severity.word) : .missing,
      tested.hasRecorded ? .integer(tested.recorded.firedStep) : .missing,
    ] + AlertsTable.fields(of: tested.alert)
  }

  private func rendered(on terminal: Terminal) -> String {
    var text = ""
    for tested in alerts {
      let alert = tested.alert
      let parts = [
        terminal.paint(tested.comparison.mark, tested.comparison.style),
        terminal.paint(alert.severity.word.padded(to: 8), alert.severity.style),
        terminal.paint(alert.rule, .emphasis), terminal.paint(AlertPlace().words(alert)),
        terminal.paint("fires at step \(alert.firedStep)"),
      ]
      text += parts.joined(separator: "  ")
      if tested.comparison == .changed {
        let old = tested.recorded
        text += terminal.paint(
          "  (recorded: \(old.severity.word) at step \(old.firedStep))",
          .faint
        )
      }
      text += "\n"
      text += Paragraph.labelled(
        "",
        indentation: 11,
        text: alert.summary,
        style: .faint,
        on: terminal
      )
    }
    text += "\(run.reports) reports replayed: \(counts)\n"
    for mismatch in mismatches {
      text += terminal.paint("not as expected", .critical) + terminal.paint(": \(mismatch)") + "\n"
    }
    if mismatches.isEmpty, expectationCount > 0 {
      text += terminal.paint("as expected", .success) + ": all \(expectationCount)\n"
    }
    return text
  }

  private var counts: String {
    let kinds: [Gradwatch_V1_Comparison] = [.same, .changed, .added, .removed]
    let parts = kinds.compactMap { kind in
      let count = alerts.count { $0.comparison == kind }
      return count > 0 ? "\(count) \(kind.word)" : nil
    }
    return parts.isEmpty ? "no alerts" : parts.joined(separator: ", ")
  }
}

extension Gradwatch_V1_Comparison {
  /// In a word.
  fileprivate var word: String {
    switch self {
    case .same: "as recorded"
    case .changed: "changed"
    case .added: "added"
    case .removed: "removed"
    case .unspecified, .UNRECOGNIZED: "comparison \(rawValue)"
    }
  }

  /// As in a difference of two texts.
  fileprivate var mark: String {
    switch self {
    case .changed: "~"
    case .added: "+"
    case .removed: "-"
    case .same, .unspecified, .UNRECOGNIZED: " "
    }
  }

  fileprivate var style: Style {
    switch self {
    case .added: .warning
    case .removed: .success
    case .changed: .info
    case .same, .unspecified, .UNRECOGNIZED: .plain
    }
  }
}
