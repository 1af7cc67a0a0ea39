import TelemetryWire
import TerminalOutput

/// Histograms: a row a bucket for programs, bars for people.
struct HistogramAnswer: StreamedAnswer {
  /// Where they go.
  let output: Output
  /// Whether to draw them.
  let isPlot: Bool
  /// Whether the person asked for drawings, however many.
  let drawsAll: Bool
  /// The element counts of the tensors, by id.
  let elementCounts: [UInt32: UInt64]

  /// More drawings than these are shown a line each, unless drawings were asked for.
  private static let mostPlots = 4

  var member: String { "histograms" }

  /// A bucket holds values from `lower` up to `upper`.
  var columns: [String] {
    ["tensor", "producer", "first_step", "last_step", "merged_count", "lower", "upper", "count"]
  }

  func drawing(of answer: [Gradwatch_V1_GetHistogramsResponse]) -> String {
    let count = answer.reduce(0) { $0 + $1.points.count }
    guard count > Self.mostPlots, !drawsAll else {
      return answer.flatMap { tensor in
        tensor.points.map { point in plot(of: tensor, point).rendered(on: output.terminal) }
      }.joined(separator: "\n")
    }
    Diagnostics.write(
      "\(count) histograms, a line each: select fewer, or say --plot, to draw every one"
    )
    return overview(of: answer)
  }

  private func plot(
    of tensor: Gradwatch_V1_GetHistogramsResponse,
    _ point: Gradwatch_V1_HistogramPoint
  ) -> HistogramPlot {
    let steps =
      point.firstStep == point.lastStep
      ? "step \(point.firstStep)"
      : "steps \(point.firstStep) to \(point.lastStep), \(point.mergedCount) merged"
    let title = "\(tensor.tensorName)  gradient histogram  \(tensor.producerID)  \(steps)"
    let nonFinite = nonFiniteCount(of: tensor, point)
    switch point.form {
    case .explicit(let histogram):
      return HistogramPlot(
        title: title,
        bounds: histogram.bounds,
        counts: histogram.counts,
        nonFiniteCount: nonFinite
      )
    default:
      let histogram = point.exponential
      return HistogramPlot(
        title: title,
        scale: histogram.scale,
        zeroCount: histogram.zeroCount,
        positive: (histogram.positiveOffset, histogram.positiveCounts),
        negative: (histogram.negativeOffset, histogram.negativeCounts),
        nonFiniteCount: nonFinite
      )
    }
  }

  /// What the histogram lacks to the tensor's elements; `nil` if that is no number.
  private func nonFiniteCount(
    of tensor: Gradwatch_V1_GetHistogramsResponse,
    _ point: Gradwatch_V1_HistogramPoint
  ) -> UInt64? {
    guard let elements = elementCounts[tensor.tensorID] else { return nil }
    let (expected, overflow) = elements.multipliedReportingOverflow(by: point.mergedCount)
    let counted = point.total
    return overflow || expected < counted ? nil : expected - counted
  }

  /// A line a histogram: magnitudes by powers of two, on one axis for all.
  private func overview(of answer: [Gradwatch_V1_GetHistogramsResponse]) -> String {
    let rows = answer.flatMap { tensor in tensor.points.map { (tensor, $0, $0.octaves) } }
    let exponents = rows.flatMap { $0.2.filter { $0.value > 0 }.keys }
    let axis = (exponents.min() ?? 0)...(exponents.max() ?? 0)
    var table = Table(columns: [
      .init("TENSOR", truncation: .middle), .init("STEPS", alignment: .trailing),
      .init("ZERO", alignment: .trailing), .init("NaN OR INF", alignment: .trailing),
      .init("|g| 2^\(axis.lowerBound) to 2^\(axis.upperBound)"),
    ])
    for (tensor, point, octaves) in rows {
      let nonFinite = nonFiniteCount(of: tensor, point)
      table.append([
        Table.Cell(tensor.tensorName),
        point.firstStep == point.lastStep
          ? "\(point.firstStep)" : "\(point.firstStep)-\(point.lastStep)",
        Table.Cell(NumberText.grouped(point.exponential.zeroCount)),
        nonFinite.map { Table.Cell(NumberText.grouped($0), $0 > 0 ? .critical : .plain) } ?? "",
        Table.Cell(
          Sparkline.render(
            axis.map { octaves[$0].map(Double.init) },
            scale: .linear,
            on: output.terminal.plain
          )
        ),
      ])
    }
    return table.rendered(on: output.terminal)
  }

  /// A row a bucket, by ascending value; buckets without elements are left out.
  func rows(
    of tensor: Gradwatch_V1_GetHistogramsResponse
  ) -> [[DelimitedText.Field]] {
    tensor.points.flatMap { point in
      point.buckets.filter { $0.count > 0 }.map { bucket in
        [
          .text(tensor.tensorName), .text(tensor.producerID), .integer(point.firstStep),
          .integer(point.lastStep), .integer(point.mergedCount), .real(bucket.lower),
          .real(bucket.upper), .integer(bucket.count),
        ]
      }
    }
  }
}
