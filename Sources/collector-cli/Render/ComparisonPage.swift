import Foundation
import TelemetryWire
import TerminalOutput

/// Two runs side by side for people: the verdict, what else differs, layer by layer, and a picture of each.
struct ComparisonPage {
  let comparison: Gradwatch_V1_RunComparison
  let layers: [Gradwatch_V1_LayerComparison]
  /// What was compared, in words.
  let quantity: String

  /// More rows of a table than these are for programs.
  private static let mostRows = 40

  /// The points a layer to ask for: the columns that a picture has at the most.
  static func points(on terminal: Terminal) -> Int {
    Heatmap.cellColumns(labels: [], on: terminal)
  }

  /// The lines, each with its line feed.
  func rendered(on terminal: Terminal) -> String {
    var text = run("a", comparison.a, on: terminal) + run("b", comparison.b, on: terminal)
    text += "\n"
    text += Paragraph.labelled(
      "",
      indentation: 0,
      text: comparison.summary + ".",
      style: .emphasis,
      on: terminal
    )
    if comparison.hasFirstDifferenceStep {
      let names = comparison.firstDifferences
      text += Paragraph.labelled(
        "",
        indentation: 0,
        text: "The first bit that differs is at step \(comparison.firstDifferenceStep), in "
          + names.prefix(4).joined(separator: ", ") + (names.count > 4 ? " and more." : "."),
        style: .faint,
        on: terminal
      )
    }
    text += settings(on: terminal)
    text += own(on: terminal)
    text += section("losses", ComparisonTables.losses(comparison.losses), on: terminal)
    text += section("alerts", ComparisonTables.rules(comparison.rules), on: terminal)
    text += layerTable(on: terminal)
    return text + pictures(on: terminal)
  }

  private func run(
    _ label: String,
    _ run: Gradwatch_V1_ComparedRun,
    on terminal: Terminal
  ) -> String {
    var words = "\(run.runID)  \(run.producerID), \(NumberText.grouped(run.stepCount)) steps"
    if run.hasLastStep { words += ", the last is \(run.lastStep)" }
    if run.ownStepCount > 0 { words += ", \(NumberText.grouped(run.ownStepCount)) its own" }
    return Paragraph.labelled(label, .heading, indentation: 3, text: words, on: terminal)
  }

  private func settings(on terminal: Terminal) -> String {
    section(
      "settings that differ",
      ComparisonTables.settings(
        comparison.hyperparameters,
        comparison.stepSettings,
        comparison.model
      ),
      on: terminal
    )
  }

  /// What only one of the runs has.
  private func own(on terminal: Terminal) -> String {
    var text = ""
    for (label, run) in [("a", comparison.a), ("b", comparison.b)] {
      for (kind, names) in [("layers", run.ownLayers), ("tensors", run.ownTensors)]
      where !names.isEmpty {
        var words = names.prefix(8).joined(separator: ", ")
        if names.count > 8 { words += " and \(names.count - 8) more" }
        text += Paragraph.labelled(
          "",
          indentation: 2,
          text: "\(kind) only in \(label): \(words)",
          on: terminal
        )
      }
    }
    return text.isEmpty ? "" : "\n" + text
  }

  private func section(_ title: String, _ table: Table, on terminal: Terminal) -> String {
    guard !table.rows.isEmpty else { return "" }
    return "\n" + terminal.paint(title, .emphasis) + "\n" + table.rendered(on: terminal)
  }

  private func layerTable(on terminal: Terminal) -> String {
    // Those that part, the earliest first, say more than the others.
    let parted = layers.filter(\.hasParting).sorted { $0.parting.step < $1.parting.step }
    let isWhole = layers.count <= Self.mostRows
    let shown = isWhole ? layers : Array((parted.isEmpty ? layers : parted).prefix(Self.mostRows))
    var text = section("layers, \(quantity)", ComparisonTables.layers(shown), on: terminal)
    if !isWhole {
      text +=
        terminal.paint(
          "\(shown.count) of \(layers.count) layers; all of them: -o json, fewer: --layer",
          .faint
        ) + "\n"
    }
    if comparison.omittedLayerCount > 0 {
      text +=
        terminal.paint(
          "\(comparison.omittedLayerCount) later layers were not compared: choose with --layer",
          .faint
        ) + "\n"
    }
    return text
  }

  // MARK: Pictures

  private func pictures(on terminal: Terminal) -> String {
    let series = layers.flatMap { [$0.a, $0.b] }
    guard let first = series.compactMap(\.steps.first).min(),
      let last = series.compactMap(\.lastSteps.last).max()
    else { return "" }
    let axis = CourseAxis(series, parts: Self.points(on: terminal))
    func rows(
      _ points: (Gradwatch_V1_LayerComparison) -> Gradwatch_V1_SeriesColumns
    ) -> [Heatmap.Row] {
      layers.map { layer in
        Heatmap.Row(
          label: layer.layerName,
          style: layer.hasParting ? .critical : .plain,
          cells: axis.course(of: points(layer))
        )
      }
    }
    let (rowsA, rowsB) = (rows(\.a), rows(\.b))
    func picture(_ title: String, _ rows: [Heatmap.Row]) -> Heatmap {
      var picture = Heatmap(
        title: title,
        quantity: "largest \(quantity)",
        rows: rows,
        steps: first...max(first, last)
      )
      picture.range = Heatmap.range(of: rowsA + rowsB)
      return picture
    }
    let a = picture("a  \(comparison.a.runID)", rowsA)
    let b = picture("b  \(comparison.b.runID)", rowsB)
    // One legend for both: what stands in either of them.
    let both = picture("", rowsA + rowsB)
    return "\n" + a.rendered(on: terminal) + "\n" + b.rendered(on: terminal)
      + both.legend(on: terminal)
  }
}
