package import Telemetry

/// Sums up what steps have as a whole, or points of a finer rollup of it, into the points of a coarser one.
///
/// A client may give each step's loss another name: what takes too many points is not summed up, and readers take the level below.
package struct RollupScalarsAccumulator {
  private struct Key: Hashable {
    var metric: StepMetric
    var name: String
  }

  private struct Sum {
    var key: Key
    /// The points that have a value, ascending.
    var points: [(row: Int, point: RollupPoint)] = []

    /// Changes the point of a row; returns whether it is a new one.
    mutating func add(row: Int, _ change: (inout RollupPoint) -> Void) -> Bool {
      let isNew = points.last?.row != row
      if isNew { points.append((row, RollupPoint())) }
      change(&points[points.count - 1].point)
      return isNew
    }
  }

  /// The points of 256 series in each point of a rollup: some 16 MB here, and 3 in the file.
  private static let maximumPoints = 1 << 16

  private var sums: [Sum] = []
  private var pointCount = 0
  private var places: [Key: Int] = [:]

  /// Makes an empty one.
  package init() {}

  /// Whether there are too many points; what is added then counts no more.
  package var isFull: Bool { pointCount >= Self.maximumPoints }

  /// Adds a step; steps come in order.
  ///
  /// - Parameters:
  ///   - scalars: What it has.
  ///   - row: Its row, from 0, in all that is summed up.
  package mutating func add(_ scalars: StepScalars, row: Int) {
    for metric in StepMetric.allCases {
      metric.forEachValue(of: scalars) { name, value in
        guard !isFull else { return }
        let isNew = sums[place(of: metric, name)].add(row: row / RollupAccumulator.factor) {
          $0.add(value, bits: value.bitPattern)
        }
        pointCount += isNew ? 1 : 0
      }
    }
  }

  /// Adds points of the level below; rollups come in order.
  ///
  /// - Parameters:
  ///   - finer: The points of one series.
  ///   - rows: The number of rows of their rollup.
  ///   - first: The number of rows before it.
  package mutating func add(_ finer: RollupScalarsCodec.Series, rows: Int, after first: Int) {
    let place = place(of: finer.metric, finer.name)
    var position = 0
    for row in 0..<rows where finer.rows.contains(row) && !isFull {
      let isNew = sums[place].add(row: (first + row) / RollupAccumulator.factor) {
        $0.add(
          count: finer.count[position],
          nonFiniteCount: finer.nonFiniteCount[position],
          min: Double(bitPattern: finer.min[position]),
          max: Double(bitPattern: finer.max[position]),
          mean: Double(bitPattern: finer.mean[position]),
          last: finer.last[position]
        )
      }
      pointCount += isNew ? 1 : 0
      position += 1
    }
  }

  /// The series, in the order in which they first have a value.
  package func finish() -> [RollupScalarsCodec.Series] {
    sums.map { sum in
      var series = RollupScalarsCodec.Series(metric: sum.key.metric, name: sum.key.name)
      for (row, point) in sum.points {
        series.rows.insert(row)
        series.min.append(point.min.bitPattern)
        series.max.append(point.max.bitPattern)
        series.mean.append(point.mean.bitPattern)
        series.last.append(point.last)
        series.count.append(point.count)
        series.nonFiniteCount.append(point.nonFiniteCount)
      }
      return series
    }
  }

  private mutating func place(of metric: StepMetric, _ name: String) -> Int {
    let key = Key(metric: metric, name: name)
    if let place = places[key] { return place }
    places[key] = sums.count
    sums.append(Sum(key: key))
    return sums.count - 1
  }
}
