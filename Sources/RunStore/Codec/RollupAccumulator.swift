import Telemetry

/// Sums up one tensor's or layer's measurements, or points of a finer rollup, into the points of a coarser one.
package struct RollupAccumulator {
  /// How many rows of the level below make a point.
  package static let factor = 16

  private let pointCount: Int
  private var series: [Metric: [RollupPoint]] = [:]

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
    series[metric, default: Array(repeating: RollupPoint(), count: pointCount)]
      .withUnsafeMutableBufferPointer { points in
        var position = 0
        for row in 0..<count where column.rows.contains(row) {
          let bits = column.bits[position]
          position += 1
          points[(first + row) / Self.factor].add(metric.number(bits), bits: bits)
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
    series[metric, default: Array(repeating: RollupPoint(), count: pointCount)]
      .withUnsafeMutableBufferPointer { points in
        var position = 0
        for row in 0..<rows where finer.rows.contains(row) {
          points[(first + row) / Self.factor].add(
            count: finer.count[position],
            nonFiniteCount: finer.nonFiniteCount[position],
            min: metric.number(finer.min[position]),
            max: metric.number(finer.max[position]),
            mean: finer.mean(at: position),
            last: finer.last[position]
          )
          position += 1
        }
      }
  }

  /// The points, by metric.
  package func finish() -> [RollupChunkCodec.Series] {
    series.sorted { $0.key.rawValue < $1.key.rawValue }.compactMap { metric, points in
      var result = RollupChunkCodec.Series(metric: metric)
      result.reserveCapacity(points.count)
      for (index, point) in points.enumerated() where point.count > 0 {
        result.rows.insert(index)
        result.min.append(metric.bits(point.min))
        result.max.append(metric.bits(point.max))
        result.mean.append(
          metric.isCount ? point.mean.bitPattern : UInt64(Float(point.mean).bitPattern)
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
