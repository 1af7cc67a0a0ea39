/// The counts of some histograms in columns, one a bucket, checked but not decoded.
///
/// It refers to the bytes that it was made from and lives no longer than they do.
struct BucketColumns {
  /// The columns that are written at a time: their values lie in the cache meanwhile.
  private static let window = 64

  private let layout: BucketLayout
  private let columns: [PackedColumn]
  private let bytes: UnsafeRawBufferPointer

  /// Reads and checks the columns of a layout.
  init(_ layout: BucketLayout, from reader: inout ByteReader) throws(CodecError) {
    // A column takes a byte at least, so this bounds what is allocated.
    guard layout.columnCount <= reader.remaining else {
      throw .truncated(at: reader.position, expected: layout.columnCount, found: reader.remaining)
    }
    var columns: [PackedColumn] = []
    columns.reserveCapacity(layout.columnCount)
    for count in layout.valueCounts() { columns.append(try PackedColumn(count, from: &reader)) }
    self.layout = layout
    self.columns = columns
    bytes = reader.bytes
  }

  /// Calls `body` with the counts of histograms, in order; they are valid during the call.
  ///
  /// - Parameters:
  ///   - belongs: Whether a histogram, of the same buckets as the one before it, is to be added to it: the sum of a column costs
  ///     a fraction of its values one by one.
  ///   - body: Takes the histograms that were added, and the sum of their counts.
  func forEachSum(
    where belongs: (_ histogram: Int) -> Bool,
    _ body: (_ histograms: Range<Int>, _ counts: UnsafeBufferPointer<UInt64>) -> Void
  ) {
    let histograms = layout.histograms
    let longest = histograms.reduce(0) { Swift.max($0, $1.positive.count + $1.negative.count) }
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: longest) { counts in
      withUnsafeTemporaryAllocation(of: Int.self, capacity: columns.count) { ranks in
        ranks.initialize(repeating: 0)
        var start = 0
        while start < histograms.count {
          let histogram = histograms[start]
          var end = start + 1
          while end < histograms.count, histograms[end] == histogram, belongs(end) { end += 1 }
          let count = histogram.positive.count + histogram.negative.count
          add(end - start, of: histogram.positive, ranks, into: counts[...])
          add(end - start, of: histogram.negative, ranks, into: counts[histogram.positive.count...])
          body(start..<end, UnsafeBufferPointer(rebasing: counts[..<count]))
          start = end
        }
      }
    }
  }

  /// Adds the next values of some columns up, and goes on behind them.
  @inline(__always)
  private func add(
    _ count: Int,
    of range: Range<Int>,
    _ ranks: UnsafeMutableBufferPointer<Int>,
    into sums: Slice<UnsafeMutableBufferPointer<UInt64>>
  ) {
    let sums = UnsafeMutableBufferPointer(rebasing: sums)
    columns.withUnsafeBufferPointer { columns in
      for (place, column) in range.enumerated() {
        let next = ranks[column] &+ count
        sums[place] = columns[column].sum(ranks[column]..<next, in: bytes)
        ranks[column] = next
      }
    }
  }

  /// The counts of one histogram in the log: the positive ones, then the negative ones.
  struct Source {
    var column: IntegerColumn
    var bytes: UnsafeRawBufferPointer
  }

  /// Appends the columns of a layout.
  ///
  /// - Precondition: There is a source for each histogram, with as many values as it has buckets.
  static func write(_ layout: BucketLayout, _ sources: [Source], to writer: inout ByteWriter) {
    switch sources.reduce(0, { Swift.max($0, $1.column.width) }) {
    case ...1: write(layout, sources, as: UInt8.self, to: &writer)
    case 2: write(layout, sources, as: UInt16.self, to: &writer)
    case 4: write(layout, sources, as: UInt32.self, to: &writer)
    default: write(layout, sources, as: UInt64.self, to: &writer)
    }
  }

  private static func write<Value: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
    _ layout: BucketLayout,
    _ sources: [Source],
    as type: Value.Type,
    to writer: inout ByteWriter
  ) {
    // Columns lie an odd number of cache lines apart, or all of them would fall into the same few sets of the cache.
    let lines = (sources.count * MemoryLayout<Value>.size + 127) / 128 * 2 + 1
    let stride = lines * 64 / MemoryLayout<Value>.size
    let isFull = layout.isFull
    withUnsafeTemporaryAllocation(of: Value.self, capacity: window * stride) { values in
      withUnsafeTemporaryAllocation(of: Int.self, capacity: window) { ends in
        for first in Swift.stride(from: 0, to: layout.columnCount, by: window) {
          let columns = first..<Swift.min(first + window, layout.columnCount)
          for place in 0..<columns.count { ends[place] = place &* stride }
          if isFull {
            // Where a count goes need not be looked up.
            for (row, source) in sources.enumerated() {
              scatter(source, columns, to: values.baseAddress.map { $0 + row }, stride)
            }
            for place in 0..<columns.count { ends[place] &+= sources.count }
          } else {
            for (index, histogram) in layout.histograms.enumerated() {
              for (range, before) in [
                (histogram.positive, 0), (histogram.negative, histogram.positive.count),
              ] {
                let part = range.clamped(to: columns)
                guard !part.isEmpty else { continue }
                let start = before &+ part.lowerBound &- range.lowerBound
                scatter(
                  sources[index],
                  start..<start &+ part.count,
                  to: UnsafeMutableBufferPointer(rebasing: ends[(part.lowerBound &- first)...]),
                  of: values
                )
              }
            }
          }
          for place in 0..<columns.count {
            let column = values[place &* stride..<ends[place]]
            PackedColumn.write(UnsafeBufferPointer(rebasing: column), to: &writer)
          }
        }
      }
    }
  }

  /// Puts some counts of one histogram into as many columns, `stride` values apart.
  @inline(__always)
  private static func scatter<Value: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
    _ source: Source,
    _ counts: Range<Int>,
    to first: UnsafeMutablePointer<Value>?,
    _ stride: Int
  ) {
    guard var target = first else { return }
    source.column.forEach(counts, in: source.bytes) { _, value in
      target.initialize(to: Value(truncatingIfNeeded: value))
      target += stride
    }
  }

  /// Puts some counts of one histogram at the ends of as many columns.
  @inline(__always)
  private static func scatter<Value: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
    _ source: Source,
    _ counts: Range<Int>,
    to ends: UnsafeMutableBufferPointer<Int>,
    of values: UnsafeMutableBufferPointer<Value>
  ) {
    guard let values = values.baseAddress, let ends = ends.baseAddress else { return }
    source.column.forEach(counts, in: source.bytes) { index, value in
      let place = index &- counts.lowerBound
      (values + ends[place]).initialize(to: Value(truncatingIfNeeded: value))
      ends[place] &+= 1
    }
  }
}
