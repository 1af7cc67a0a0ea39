import GRDB
import Telemetry

/// Which parts of some steps are read from rollups, and which from segments and log.
///
/// A level serves the points that lie wholly within the steps and span no more of them than asked for; what is left at both ends
/// is left to the level below, down to segments and log. Pieces come in step order and don't overlap.
struct RollupPieces {
  /// A part of the steps.
  private enum Piece {
    /// Some points of a rollup.
    case rollup(Rollup, rows: ClosedRange<Int>)
    /// What segments and log have of some steps, which may be nothing.
    case measurements(ClosedRange<UInt64>)
  }

  /// A rollup that has some of the steps.
  struct Rollup {
    let id: Int64
    let level: Int
    /// The first step of each point.
    let firsts: [UInt64]
    /// The last step of each point.
    let lasts: [UInt64]
    /// What it should have; `nil`: nobody knows.
    let contents: SegmentContents?

    /// Whether merged histograms are of the point that they say.
    func has(_ entry: RollupHistogramCodec.Entry) -> Bool {
      firsts.indices.contains(entry.row) && firsts[entry.row] <= entry.point.firstStep
        && entry.point.lastStep <= lasts[entry.row]
    }

    /// The steps of some points.
    func steps(_ rows: ClosedRange<Int>) -> ClosedRange<UInt64> {
      firsts[rows.lowerBound]...lasts[rows.upperBound]
    }
  }

  /// Less than a rollup spans: one that is lost, or says of itself what is not so, leaves a gap in which to look below.
  private static let widestSeam: UInt64 = 2048
  /// The fewest points in a row that are taken from a rollup of which others are too wide.
  private static let leastRun = 16

  private let reader: TelemetryReader
  private let maximumSpan: UInt64
  private var pieces: [Piece] = []

  /// Cuts steps.
  ///
  /// - Parameters:
  ///   - steps: The steps.
  ///   - reader: The producer.
  ///   - maximumSpan: The most steps that a point may span.
  ///   - level: The coarsest level to use.
  /// - Throws: The errors of the database.
  init(
    of steps: ClosedRange<UInt64>,
    _ reader: TelemetryReader,
    maximumSpan: UInt64,
    level: Int = RollupPlan.maximumLevel
  ) throws {
    self.reader = reader
    self.maximumSpan = maximumSpan
    try cut(steps, level: maximumSpan > 1 ? level : 0)
  }

  /// Goes through the pieces in order, as long as it is told to.
  ///
  /// - Returns: Whether neither ever returned false.
  func forEach(
    rollup: (Rollup, ClosedRange<Int>) throws -> Bool,
    measurements: (ClosedRange<UInt64>) throws -> Bool
  ) throws -> Bool {
    try pieces.allSatisfy { piece in
      switch piece {
      case .rollup(let part, let rows): try rollup(part, rows)
      case .measurements(let steps): try measurements(steps)
      }
    }
  }

  /// What the levels below have of some points of a rollup, of which a chunk is damaged.
  func below(_ rollup: Rollup, _ rows: ClosedRange<Int>) throws -> RollupPieces {
    try RollupPieces(
      of: rollup.steps(rows),
      reader,
      maximumSpan: maximumSpan,
      level: rollup.level - 1
    )
  }

  private mutating func cut(_ steps: ClosedRange<UInt64>, level: Int) throws {
    guard level > 0 else { return pieces.append(.measurements(steps)) }
    var next = steps.lowerBound
    // A gap of fewer steps to the rollup that follows is no more than the distance of two reports.
    var seam: UInt64 = 0
    for rollup in try rollups(level, steps) {
      let (firsts, lasts) = (rollup.firsts, rollup.lasts)
      let chosen = firsts.indices.filter { firsts[$0] >= next && lasts[$0] <= steps.upperBound }
      let runs = fineRuns(of: chosen, rollup)
      if runs.isEmpty { seam = 0 }
      for rows in runs {
        let (first, last) = (rows.lowerBound, rows.upperBound)
        if next < firsts[first], first > 0 || firsts[first] - next >= seam {
          try cut(next...firsts[first] - 1, level: level - 1)
        }
        pieces.append(.rollup(rollup, rows: rows))
        guard lasts[last] < steps.upperBound else { return }
        next = lasts[last] + 1
        seam =
          last == firsts.count - 1 ? Swift.min(lasts[last] - firsts[last], Self.widestSeam) : 0
      }
    }
    try cut(next...steps.upperBound, level: level - 1)
  }

  /// Those of some points that are fine enough, in runs.
  ///
  /// The steps of a run may jump, and with them a point here and there be too wide. Beside those a few are not worth to be looked for
  /// on their own.
  private func fineRuns(of chosen: [Int], _ rollup: Rollup) -> [ClosedRange<Int>] {
    var runs: [ClosedRange<Int>] = []
    for row in chosen where rollup.lasts[row] &- rollup.firsts[row] < maximumSpan {
      if let run = runs.last, run.upperBound == row - 1 {
        runs[runs.count - 1] = run.lowerBound...row
      } else {
        runs.append(row...row)
      }
    }
    return runs.filter { $0.count == chosen.count || $0.count >= Self.leastRun }
  }

  private func rollups(_ level: Int, _ steps: ClosedRange<UInt64>) throws -> [Rollup] {
    var found: [Rollup] = []
    try reader.db.rows(
      """
      SELECT id, rows, axis, first_step, contents FROM rollups
      WHERE producer = ? AND level = ? AND last_step >= ? ORDER BY last_step
      """,
      .integer(reader.keys.producer),
      .integer(Int64(level)),
      .number(steps.lowerBound)
    ) { row in
      guard row.number(3) <= steps.upperBound else { return false }
      // One whose axis is damaged is left out: the level below has all of it.
      guard let axis = try? SegmentCodec.readAxis(row.blob(2)),
        Int64(axis.steps.count) == row.integer(1)
      else { return true }
      found.append(
        Rollup(
          id: row.integer(0),
          level: level,
          firsts: axis.steps,
          lasts: axis.sequences,
          contents: try? SegmentContents.read(row.blob(4))
        )
      )
      return true
    }
    return found
  }
}
