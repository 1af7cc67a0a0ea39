import Telemetry

/// Sums up one tensor's or layer's measurements, or points of a finer rollup, into the points of a coarser one.
package struct RollupAccumulator {
  /// How many rows of the level below make a point.
  package static let factor = 16

  private struct Point {
    var count: UInt64 = 0
    var nonFiniteCount: UInt64 = 0
    var min = Double.infinity
    var max = -Double.infinity
    var sum = 0.0
    var last: UInt64 = 0
  }

  private let pointCount: Int
  private var series: [Metric: [Point]] = [:]

  /// Makes an accumulator of some points.
  package init(pointCount: Int) { self.pointCount = pointCount }

  /// Adds a column of measurements.
  ///
  /// - Parameters:
  ///   - column: The column.
  ///   - count: How many of its rows count; those after them were rewound.
  ///   - first: The number of rows before it.
  package mutating func add(_ column: ChunkCodec.Column, first count: Int, after first: Int) {
    let metric = column.metric
    series[metric, default: Array(repeating: Point(), count: pointCount)]
      .withUnsafeMutableBufferPointer { points in
        var position = 0
        for row in 0..<count where column.rows.contains(row) {
          let bits = column.bits[position]
          position += 1
          let value = metric.number(bits)
          let index = (first + row) / Self.factor
          points[index].count += 1
          points[index].last = bits
          if value.isFinite {
            points[index].min = Swift.min(points[index].min, value)
            points[index].max = Swift.max(points[index].max, value)
            points[index].sum += value
          } else {
            points[index].nonFiniteCount += 1
          }
        }
      }
  }

  /// Adds points of the level below.
  ///
  /// - Parameters:
  ///   - finer: The points.
  ///   - rows: The number of rows of their rollup.
  ///   - first: The number of rows before it.
  package mutating func add(_ finer: RollupChunkCodec.Series, rows: Int, after first: Int) {
    let metric = finer.metric
    series[metric, default: Array(repeating: Point(), count: pointCount)]
      .withUnsafeMutableBufferPointer { points in
        var position = 0
        for row in 0..<rows where finer.rows.contains(row) {
          let index = (first + row) / Self.factor
          points[index].count += finer.count[position]
          points[index].nonFiniteCount += finer.nonFiniteCount[position]
          points[index].last = finer.last[position]
          if finer.count[position] > finer.nonFiniteCount[position] {
            points[index].min = Swift.min(points[index].min, metric.number(finer.min[position]))
            points[index].max = Swift.max(points[index].max, metric.number(finer.max[position]))
            let finite = Double(finer.count[position] - finer.nonFiniteCount[position])
            points[index].sum += finer.mean(at: position) * finite
          }
          position += 1
        }
      }
  }

  /// The points, by metric.
  package func finish() -> [RollupChunkCodec.Series] {
    series.sorted { $0.key.rawValue < $1.key.rawValue }.compactMap { metric, points in
      var result = RollupChunkCodec.Series(metric: metric)
      for (index, point) in points.enumerated() where point.count > 0 {
        result.rows.insert(index)
        let isFinite = point.count > point.nonFiniteCount
        // A sum of finite values may overflow; the mean of what lies between two bounds lies there too.
        let mean = point.sum / Double(point.count - point.nonFiniteCount)
        let bounded = isFinite ? Swift.min(Swift.max(mean, point.min), point.max) : .nan
        result.min.append(metric.bits(isFinite ? point.min : .nan))
        result.max.append(metric.bits(isFinite ? point.max : .nan))
        result.mean.append(
          metric.isCount ? bounded.bitPattern : UInt64(Float(bounded).bitPattern)
        )
        result.last.append(point.last)
        result.count.append(point.count)
        result.nonFiniteCount.append(point.nonFiniteCount)
      }
      return result.count.isEmpty ? nil : result
    }
  }
}

extension Metric {
  /// The bits of a value that came from bits of this metric.
  fileprivate func bits(_ value: Double) -> UInt64 {
    guard isCount else { return UInt64(Float(value).bitPattern) }
    // The nearest Double of a count close to 2^64 is 2^64.
    return value < 0x1p64 ? UInt64(value) : .max
  }
}
