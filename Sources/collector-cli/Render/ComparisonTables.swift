import TelemetryWire
import TerminalOutput

/// What differs between two runs, in tables of a column a run.
enum ComparisonTables {
  /// Hyper-parameters, numbers of the step, and properties of layers and tensors.
  static func settings(
    _ hyperparameters: [Gradwatch_V1_SettingDifference],
    _ steps: [Gradwatch_V1_StepSettingDifference],
    _ model: [Gradwatch_V1_SettingDifference]
  ) -> Table {
    var table = Table(columns: [
      .init("SETTING", truncation: .middle), .init("A", truncation: .end),
      .init("B", truncation: .end), .init("SINCE", alignment: .trailing),
    ])
    for difference in hyperparameters + model {
      table.append([
        Table.Cell(difference.name, .emphasis),
        difference.hasA ? Table.Cell(difference.a) : missing,
        difference.hasB ? Table.Cell(difference.b) : missing,
      ])
    }
    for difference in steps {
      table.append([
        Table.Cell(difference.name, .emphasis),
        difference.hasA ? Table.Cell(number: difference.a) : missing,
        difference.hasB ? Table.Cell(number: difference.b) : missing,
        "step \(difference.firstStep)",
      ])
    }
    table.removeEmptyColumns()
    return table
  }

  /// Losses: the last and the best of each run.
  static func losses(_ losses: [Gradwatch_V1_LossComparison]) -> Table {
    var table = Table(columns: [
      .init("LOSS", truncation: .middle), .init("LAST A", alignment: .trailing),
      .init("LAST B", alignment: .trailing), .init("BEST A", alignment: .trailing),
      .init("BEST B", alignment: .trailing), .init("PARTS AT", alignment: .trailing),
    ])
    for loss in losses {
      table.append([
        Table.Cell(loss.name, .emphasis), loss.hasA ? Table.Cell(number: loss.a.last) : missing,
        loss.hasB ? Table.Cell(number: loss.b.last) : missing, best(loss.a), best(loss.b),
        loss.hasParting ? "step \(loss.parting.step)" : "",
      ])
    }
    return table
  }

  /// Rules: what each run has of them.
  static func rules(_ rules: [Gradwatch_V1_RuleComparison]) -> Table {
    var table = Table(columns: [
      .init("RULE"), .init("IN"), .init("A", truncation: .end), .init("B", truncation: .end),
    ])
    for rule in rules {
      table.append([
        Table.Cell(rule.rule, .emphasis),
        Table.Cell(rule.hasA ? rule.hasB ? "both" : "only a" : "only b"),
        rule.hasA ? occurrence(rule.a) : missing, rule.hasB ? occurrence(rule.b) : missing,
      ])
    }
    return table
  }

  /// Layers: the first and the last value of each run, and where they part.
  static func layers(_ layers: [Gradwatch_V1_LayerComparison]) -> Table {
    var table = Table(columns: [
      .init("LAYER", truncation: .middle), .init("PARTS AT", alignment: .trailing),
      .init("A THERE", alignment: .trailing), .init("B THERE", alignment: .trailing),
      .init("FIRST A", alignment: .trailing), .init("FIRST B", alignment: .trailing),
      .init("LAST A", alignment: .trailing), .init("LAST B", alignment: .trailing),
    ])
    for layer in layers {
      let parting = layer.parting
      table.append([
        Table.Cell(layer.layerName, layer.hasParting ? .critical : .emphasis),
        layer.hasParting ? "step \(parting.step)" : "",
        layer.hasParting && parting.hasA ? Table.Cell(number: parting.a) : "",
        layer.hasParting && parting.hasB ? Table.Cell(number: parting.b) : "",
        value(layer.a.mean.first), value(layer.b.mean.first), value(layer.a.last.last),
        value(layer.b.last.last),
      ])
    }
    table.removeEmptyColumns()
    return table
  }

  private static let missing = Table.Cell("none", .faint)

  private static func value(_ value: Double?) -> Table.Cell {
    value.map(Table.Cell.init(number:)) ?? missing
  }

  private static func best(_ course: Gradwatch_V1_LossCourse) -> Table.Cell {
    course.hasBest
      ? Table.Cell("\(NumberText.short(course.best)) at \(course.bestStep)") : missing
  }

  private static func occurrence(_ occurrence: Gradwatch_V1_RuleOccurrence) -> Table.Cell {
    let count = occurrence.alertCount > 1 ? ", \(occurrence.alertCount) alerts" : ""
    let place = occurrence.layers.isEmpty ? "" : " in \(LayerNames.words(occurrence.layers))"
    return Table.Cell(
      "\(occurrence.severity.word) since \(occurrence.firstStep)\(place)\(count)",
      occurrence.severity.style
    )
  }
}
