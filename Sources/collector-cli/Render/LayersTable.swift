import TelemetryWire
import TerminalOutput

/// A layer with the course of its gradient norm, the L2 norm over its tensors.
struct LayerRow: Sendable {
  let entry: Gradwatch_V1_LayerEntry
  /// Norms by part of the run, the largest in each; NaN if any was not finite.
  let course: [Double?]
  /// The last norm; `nil` if none was measured.
  let lastNorm: Double?
  /// The step of the last norm.
  let lastStep: UInt64?

  /// The number of parameters that are the layer's own.
  var parameters: UInt64 {
    entry.tensors.filter { !$0.tensor.hasTiedTo }.reduce(0) { $0 &+ $1.tensor.elementCount }
  }

  /// Joins layers with the norms of their tensors.
  static func rows(
    _ layers: [Gradwatch_V1_LayerEntry],
    norms: [Gradwatch_V1_GetLayerTimelineResponse]
  ) -> [LayerRow] {
    let axis = CourseAxis(norms.map(\.points), parts: LayersTable.courseColumns)
    let ofLayer = Dictionary(grouping: norms, by: \.layerID)
    return layers.map { entry in
      var squares: [Double?] = Array(repeating: nil, count: axis.parts)
      var last: (step: UInt64, square: Double)?
      for points in (ofLayer[entry.layerID] ?? []).map(\.points) {
        for (part, peak) in axis.course(of: points).enumerated() {
          if let peak { squares[part] = (squares[part] ?? 0) + peak * peak }
        }
        guard let value = points.last.last, let step = points.lastSteps.last else { continue }
        // A tensor that was not measured of late says nothing of the layer's last norm.
        if let known = last, known.step == step {
          last = (step, known.square + value * value)
        } else if step >= last?.step ?? 0 {
          last = (step, value * value)
        }
      }
      return LayerRow(
        entry: entry,
        course: squares.map { $0?.squareRoot() },
        lastNorm: last?.square.squareRoot(),
        lastStep: last?.step
      )
    }
  }
}

/// Layers as a table and as records.
enum LayersTable {
  /// The parts of a run that a course shows.
  static let courseColumns = 24

  /// The columns for programs.
  static let columns = [
    "layer_id", "layer", "module_type", "activation", "normalization", "residual", "fan_in",
    "fan_out", "tensors", "parameters", "last_step", "gradient_norm",
  ]

  /// The fields of a layer, in the columns' order.
  static func fields(of row: LayerRow) -> [DelimitedText.Field] {
    let layer = row.entry.layer
    return [
      .integer(UInt64(row.entry.layerID)), .text(layer.name), .text(layer.moduleType),
      .text(layer.activation), .text(layer.normalization),
      layer.hasResidual ? .text("\(layer.residual)") : .missing,
      layer.hasFanIn ? .integer(layer.fanIn) : .missing,
      layer.hasFanOut ? .integer(layer.fanOut) : .missing,
      .integer(UInt64(row.entry.tensors.count)), .integer(row.parameters),
      row.lastStep.map { .integer($0) } ?? .missing, row.lastNorm.map { .real($0) } ?? .missing,
    ]
  }

  /// The table for people.
  static func rendered(_ rows: [LayerRow], on terminal: Terminal) -> String {
    var table = Table(columns: [
      .init("LAYER", truncation: .middle), .init("TYPE", truncation: .end), .init("ACTIVATION"),
      .init("PARAMS", alignment: .trailing), .init("NORM", alignment: .trailing),
      .init("COURSE"),
    ])
    for row in rows {
      let layer = row.entry.layer
      let isFinite = row.course.allSatisfy { $0?.isFinite ?? true }
      table.append([
        Table.Cell(layer.name, .emphasis), Table.Cell(layer.moduleType),
        Table.Cell(layer.activation == "none" ? "" : layer.activation),
        Table.Cell(row.parameters == 0 ? "" : NumberText.scaled(row.parameters)),
        row.lastNorm.map(Table.Cell.init(number:)) ?? "",
        Table.Cell(
          Sparkline.render(row.course, on: terminal.plain),
          isFinite ? .plain : .critical
        ),
      ])
    }
    table.removeEmptyColumns()
    return table.rendered(on: terminal)
  }
}
