import RuleFile
import SwiftProtobuf
import Telemetry
import TelemetryWire
import TerminalOutput

/// Rules as a table and as records.
enum RulesTable {
  /// The columns for programs.
  static let columns = ["rule", "enabled", "changed", "thresholds", "summary"]

  /// The fields of a rule, in the columns' order.
  static func fields(of rule: Gradwatch_V1_Rule) -> [DelimitedText.Field] {
    let thresholds = rule.thresholds.map { "\($0.name)=\($0.effective)" }
    return [
      .text(rule.rule), .text(rule.enabled ? "on" : "off"),
      .text(rule.isChanged ? "yes" : "no"), .text(thresholds.joined(separator: " ")),
      .text(rule.summary),
    ]
  }

  /// The table for people.
  static func rendered(_ rules: [Gradwatch_V1_Rule], on terminal: Terminal) -> String {
    var table = Table(columns: [
      .init("RULE"), .init("ON"), .init("CHANGED"), .init("WHEN IT FIRES", truncation: .end),
    ])
    for rule in rules {
      table.append([
        Table.Cell(rule.rule, .emphasis),
        Table.Cell(rule.enabled ? "on" : "off", rule.enabled ? .plain : .faint),
        Table.Cell(rule.isChanged ? "yes" : "", .warning), Table.Cell(rule.summary),
      ])
    }
    return table.rendered(on: terminal)
  }

  /// One rule on a page of its own.
  static func page(_ rule: Gradwatch_V1_Rule, on terminal: Terminal) throws -> String {
    var text = terminal.paint(rule.rule, .heading)
    text += "  " + terminal.paint(rule.enabled ? "on" : "off", rule.enabled ? .success : .faint)
    text += "\n" + Paragraph.labelled("", indentation: 2, text: rule.summary, on: terminal)
    if rule.thresholds.isEmpty { text += "\n  no thresholds\n" }
    for threshold in rule.thresholds {
      let isChanged = threshold.effective != threshold.standard
      text += "\n  " + terminal.paint(threshold.name, .emphasis) + " = "
      text += terminal.paint("\(threshold.effective)", isChanged ? .warning : .plain)
      text += terminal.paint(
        "  (\(isChanged ? "standard \(threshold.standard), " : "")"
          + "\(NumberText.short(threshold.minimum)) to \(NumberText.short(threshold.maximum)))",
        .faint
      )
      text += "\n"
      text += Paragraph.labelled("", indentation: 4, text: threshold.meaning, on: terminal)
    }
    guard rule.isChanged else { return text }
    let changed = try RuleSet(wire: .with { $0.rules = [rule.changed] })
    text += "\n" + terminal.paint("  changed", .faint) + "\n"
    for line in RuleFile(rules: changed).text.split(separator: "\n") {
      text += "    " + terminal.paint(String(line)) + "\n"
    }
    return text
  }
}

extension Gradwatch_V1_Rule {
  /// Whether somebody changed anything about it.
  fileprivate var isChanged: Bool { changed != .with { $0.rule = rule } }
}
