package import Telemetry

/// The bytes of what the steps of up to 256 consecutive points of a rollup have as a whole: losses, rates and norms.
///
/// Every number is a Double, as it is in a report. `Format.md` draws it.
package enum RollupScalarsCodec {
  /// One series: for the points in `rows`, in order, what they sum up.
  package struct Series: Equatable {
    /// The metric.
    package var metric: StepMetric
    /// The name; of one metric no two are alike.
    package var name: String
    /// The points that have a value.
    package var rows = RowSet()
    /// The smallest finite value, as bits; of NaN: there was none.
    package var min: [UInt64] = []
    /// The largest finite value, likewise.
    package var max: [UInt64] = []
    /// The mean of the finite values, likewise.
    package var mean: [UInt64] = []
    /// The last value, bit for bit.
    package var last: [UInt64] = []
    /// The number of values.
    package var count: [UInt64] = []
    /// The number of those that are NaN or infinite.
    package var nonFiniteCount: [UInt64] = []

    /// Makes a series without points.
    package init(metric: StepMetric, name: String) {
      self.metric = metric
      self.name = name
    }
  }

  /// The bytes that a series of one point takes at least.
  private static let leastSize = 40

  /// Appends series, compressed if there is a deflater.
  ///
  /// - Precondition: 1 to 256 points; every series has at least one, and as many values in each column as points.
  package static func write(
    _ series: [Series],
    rows: Int,
    to writer: inout ByteWriter,
    _ deflater: Deflater?
  ) {
    BlobFrame.write(to: &writer, deflater) { (writer: inout ByteWriter) in
      writer.append(UInt32(series.count))
      for one in series {
        writer.append(one.metric.rawValue)
        writer.append(one.name)
        one.rows.write(rows: rows, to: &writer)
        for column in [one.min, one.max, one.mean, one.last] { writer.append(elements: column) }
        for column in [one.count, one.nonFiniteCount] { IntegerColumn.write(column, to: &writer) }
      }
    }
  }

  /// Reads series.
  ///
  /// - Parameters:
  ///   - bytes: What ``write(_:rows:to:_:)`` wrote.
  ///   - rows: The number of points that the rollup has.
  ///   - inflater: Where a compressed blob is taken apart.
  /// - Returns: The series, in the order in which they were written.
  /// - Throws: ``CodecError`` for any other bytes.
  package static func read(
    _ bytes: UnsafeRawBufferPointer,
    rows: Int,
    _ inflater: Inflater
  ) throws(CodecError) -> [Series] {
    var reader = try BlobFrame.open(bytes, inflater)
    let count = try reader.readEntryCount(atLeast: leastSize)
    var all: [Series] = []
    all.reserveCapacity(count)
    for _ in 0..<count { all.append(try readOne(rows: rows, from: &reader)) }
    try reader.finish()
    return all
  }

  private static func readOne(
    rows: Int,
    from reader: inout ByteReader
  ) throws(CodecError) -> Series {
    let metric: StepMetric = try reader.readCase()
    var series = Series(metric: metric, name: try reader.readString())
    series.rows = try RowSet.read(rows: rows, from: &reader)
    let count = series.rows.count
    guard count > 0 else {
      throw .unexpected("points of \(series.name)", expected: "at least 1", found: "0")
    }
    series.min = try reader.readElements(count, of: UInt64.self)
    series.max = try reader.readElements(count, of: UInt64.self)
    series.mean = try reader.readElements(count, of: UInt64.self)
    series.last = try reader.readElements(count, of: UInt64.self)
    series.count = try IntegerColumn(count, from: &reader).values(in: reader.bytes)
    series.nonFiniteCount = try IntegerColumn(count, from: &reader).values(in: reader.bytes)
    try RollupPoint.check(series.count, series.nonFiniteCount, of: series.name)
    return series
  }
}
