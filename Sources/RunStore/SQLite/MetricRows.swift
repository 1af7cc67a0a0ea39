import Telemetry

/// One metric's columns in the rows of a segment to be, out of which each tensor or layer takes its own.
struct MetricRows {
  private struct Source {
    var row: Int
    var column: LogRow.Column
    /// The place in a list of maps, if the column does not speak of all.
    var map: Int?
  }

  private let metric: Metric
  private var sources: [Source] = []
  /// Where the floats of the first rows start that have as many, of the same tensors or layers.
  ///
  /// Where these are all rows, as nearly always, a value is found without a look at its row.
  private var starts: [UnsafeRawPointer] = []

  /// Makes columns of no row.
  init(_ metric: Metric) { self.metric = metric }

  /// Adds the column of the next row that has one.
  ///
  /// - Parameters:
  ///   - column: The column.
  ///   - row: The row.
  ///   - map: The place in a list of maps, if the column does not speak of all.
  mutating func add(_ column: LogRow.Column, of row: Int, map: Int?) {
    if starts.count == sources.count, let start = column.floats,
      sources.first.map({ $0.map == map && $0.column.count == column.count }) ?? true
    {
      starts.append(start)
    }
    sources.append(Source(row: row, column: column, map: map))
  }

  /// What a tensor or layer has in some rows.
  ///
  /// - Parameters:
  ///   - index: The tensor or layer.
  ///   - maps: The maps.
  ///   - count: The number of rows.
  /// - Returns: The column, without a value if it was never measured.
  func column(of index: Int, _ maps: IndexMaps, rows count: Int) -> ChunkCodec.Column {
    if starts.count == count, let first = sources.first {
      guard let position = position(of: index, in: first, maps) else {
        return ChunkCodec.Column(metric: metric, rows: RowSet(), bits: [])
      }
      let bits = starts.map {
        UInt64($0.loadUnaligned(fromByteOffset: 4 &* position, as: UInt32.self))
      }
      return ChunkCodec.Column(metric: metric, rows: RowSet(first: count), bits: bits)
    }
    var rows = RowSet()
    let bits = [UInt64](unsafeUninitializedCapacity: sources.count) { buffer, count in
      for source in sources {
        guard let position = position(of: index, in: source, maps) else { continue }
        rows.insert(source.row)
        buffer.initializeElement(at: count, to: source.column.bits(at: position))
        count &+= 1
      }
    }
    return ChunkCodec.Column(metric: metric, rows: rows, bits: bits)
  }

  @inline(__always)
  private func position(of index: Int, in source: Source, _ maps: IndexMaps) -> Int? {
    guard let map = source.map else { return index < source.column.count ? index : nil }
    return maps[map].position(of: index).flatMap { $0 < source.column.count ? $0 : nil }
  }
}
