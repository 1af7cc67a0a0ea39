import GRDB
import Telemetry

/// Reads one metric of the step as a whole in step order, from the coarsest level that is fine enough.
struct StepSeriesReader {
  typealias Body = (StepSeriesPiece) -> Bool

  private let reader: TelemetryReader
  private let metric: StepMetric
  private let maximumSpan: UInt64

  init(_ reader: TelemetryReader, _ selection: StepSeriesSelection) {
    self.reader = reader
    metric = selection.metric
    maximumSpan = selection.maximumSpan
  }

  /// Calls `body` with all pieces; returns whether it never returned false.
  func read(_ body: Body) throws -> Bool {
    try read(RollupPieces(of: reader.steps, reader, maximumSpan: maximumSpan), body)
  }

  private func read(_ all: RollupPieces, _ body: Body) throws -> Bool {
    try all.forEach(
      rollup: { rollup, rows in
        guard let piece = try piece(of: rollup, rows) else {
          return try read(all.below(rollup, rows), body)
        }
        return body(piece)
      },
      measurements: { steps in
        try reader.scalars(steps) { body(piece(of: $0)) }
      }
    )
  }

  /// Some points of a rollup; `nil` if they are damaged, or the rollup is of a version without them.
  private func piece(
    of rollup: RollupPieces.Rollup,
    _ rows: ClosedRange<Int>
  ) throws -> StepSeriesPiece? {
    let all = try reader.db.firstRow(
      "SELECT body FROM rollup_scalars WHERE rollup = ?",
      .integer(rollup.id)
    ) { row in
      try? RollupScalarsCodec.read(row.blob(0), rows: rollup.firsts.count, reader.inflater)
    }
    guard let all = all ?? nil else { return nil }
    let series = all.lazy.filter { $0.metric == metric }.compactMap { one in
      SeriesPoints(one, rollup, rows).map {
        StepSeriesPiece.Series(name: one.name, part: .points($0))
      }
    }
    return StepSeriesPiece(
      lastStep: rollup.lasts[rows.upperBound],
      rowCount: rows.count,
      series: Array(series)
    )
  }

  private func piece(of steps: [StepScalars]) -> StepSeriesPiece {
    var series = NamedSeries<SeriesSlice>()
    for scalars in steps {
      metric.forEachValue(of: scalars) { name, value in
        series.change(name, from: SeriesSlice()) {
          $0.steps.append(scalars.step)
          $0.values.append(value)
        }
      }
    }
    return StepSeriesPiece(
      lastStep: steps.last?.step ?? 0,
      rowCount: steps.count,
      series: series.all.map { .init(name: $0.name, part: .measurements($0.value)) }
    )
  }
}

extension SeriesPoints {
  /// Some points of a rollup; `nil` if the series has no value in any.
  fileprivate init?(
    _ series: RollupScalarsCodec.Series,
    _ rollup: RollupPieces.Rollup,
    _ rows: ClosedRange<Int>
  ) {
    let before = (0..<rows.lowerBound).count(where: series.rows.contains)
    let chosen = rows.filter(series.rows.contains)
    guard !chosen.isEmpty else { return nil }
    let places = before..<before + chosen.count
    func numbers(_ column: [UInt64]) -> [Double] { column[places].map(Double.init(bitPattern:)) }
    self.init()
    steps = chosen.map { rollup.firsts[$0] }
    lastSteps = chosen.map { rollup.lasts[$0] }
    min = numbers(series.min)
    max = numbers(series.max)
    mean = numbers(series.mean)
    last = numbers(series.last)
    count = Array(series.count[places])
    nonFiniteCount = Array(series.nonFiniteCount[places])
  }
}
