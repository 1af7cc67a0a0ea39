package import Telemetry

/// The bytes of up to 256 consecutive points of one tensor or layer: a chunk.
///
/// Columns that were never measured are absent, one that never changes holds one value, and one
/// with holes says which rows it has. Each has its own checksum, so that a timeline reads, and
/// sums, one column of a chunk only. `Format.md` draws it.
package enum ChunkCodec {
  /// One column: for the rows in `rows`, in order, a value's bits.
  package struct Column: Equatable {
    /// The metric.
    package var metric: Metric
    /// The rows that have a value.
    package var rows: RowSet
    /// A bit pattern for each of them: a Float's in the low half, or a count.
    package var bits: [UInt64]

    /// Makes a column.
    package init(metric: Metric, rows: RowSet, bits: [UInt64]) {
      self.metric = metric
      self.rows = rows
      self.bits = bits
    }
  }

  /// How the values of a column are laid out, as bits that can be combined.
  private enum Layout {
    static let sparse: UInt8 = 1
    static let constant: UInt8 = 2
    /// The values stand in byte planes, the lowest bytes of all of them first, compressed.
    static let packed: UInt8 = 4
    static let all = sparse | constant | packed
  }

  private static let entrySize = 10

  /// Appends a chunk; columns are compressed if there is a deflater, each by itself.
  ///
  /// - Precondition: 1 to 256 rows; every column has as many values as rows, and at least one.
  package static func write(
    _ columns: [Column],
    rows: Int,
    to writer: inout ByteWriter,
    _ deflater: Deflater?
  ) {
    precondition(rows >= 1 && rows <= RowSet.maximumRows && columns.count < 256, "chunk too large")
    let start = writer.count
    writer.append(BlobFrame.version)
    writer.append(BlobFrame.rawCodec)
    writer.append(UInt16(rows))
    writer.append(UInt8(columns.count))
    let directory = writer.count
    for column in columns {
      writer.append(column.metric.rawValue)
      writer.append(UInt8(0))
      writer.append(UInt32(0))
      writer.append(UInt32(0))
    }
    let headerEnd = writer.count
    writer.append(UInt32(0))
    for (index, column) in columns.enumerated() {
      let payload = writer.count
      var layout = layout(of: column, rows: rows)
      if layout & Layout.sparse != 0 { column.rows.write(rows: rows, to: &writer) }
      if layout & Layout.constant == 0, let deflater, pack(column, to: &writer, deflater) {
        layout |= Layout.packed
      } else {
        let values = layout & Layout.constant != 0 ? column.bits.prefix(1) : column.bits[...]
        if column.metric.isCount {
          for value in values { writer.append(value) }
        } else {
          for value in values { writer.append(UInt32(truncatingIfNeeded: value)) }
        }
      }
      let entry = directory + index * entrySize
      writer.replaceByte(at: entry + 1, with: layout)
      writer.replace(at: entry + 2, with: UInt32(writer.count - payload))
      writer.replace(
        at: entry + 6,
        with: Checksum.of(UnsafeRawBufferPointer(rebasing: writer.bytes[payload...]))
      )
    }
    writer.replace(
      at: headerEnd,
      with: Checksum.of(UnsafeRawBufferPointer(rebasing: writer.bytes[start..<headerEnd]))
    )
  }

  /// Reads one column of a chunk, and checks no other.
  ///
  /// - Parameters:
  ///   - metric: The column's metric.
  ///   - rows: The number of rows that the chunk must have.
  ///   - bytes: The chunk.
  ///   - inflater: Where a compressed column is taken apart.
  /// - Returns: The column; `nil` if the metric was not measured in any row.
  /// - Throws: ``CodecError`` for any bytes that ``write(_:rows:to:_:)`` doesn't write.
  package static func read(
    _ metric: Metric,
    rows: Int,
    from bytes: UnsafeRawBufferPointer,
    _ inflater: Inflater
  ) throws(CodecError) -> Column? {
    try stored(metric, rows: rows, in: bytes, inflater)
      .map { Column(metric: metric, rows: $0.rows, bits: $0.bits) }
  }

  /// Finds one column of a chunk as ``read(_:rows:from:_:)`` does, and leaves its values as they are stored.
  static func stored(
    _ metric: Metric,
    rows: Int,
    in bytes: UnsafeRawBufferPointer,
    _ inflater: Inflater
  ) throws(CodecError) -> StoredColumn? {
    var found: Entry?
    try readDirectory(rows: rows, of: bytes) { if $0.metric == metric, found == nil { found = $0 } }
    return try found.map { entry throws(CodecError) in
      try stored(entry, rows: rows, of: bytes, inflater)
    }
  }

  /// Reads all columns of a chunk.
  ///
  /// - Throws: As ``read(_:rows:from:_:)``.
  package static func readAll(
    rows: Int,
    from bytes: UnsafeRawBufferPointer,
    _ inflater: Inflater
  ) throws(CodecError) -> [Column] {
    var entries: [Entry] = []
    try readDirectory(rows: rows, of: bytes) { entries.append($0) }
    return try entries.map { entry throws(CodecError) in
      let column = try stored(entry, rows: rows, of: bytes, inflater)
      return Column(metric: entry.metric, rows: column.rows, bits: column.bits)
    }
  }

  private struct Entry {
    var metric: Metric
    var layout: UInt8
    var range: Range<Int>
    var checksum: UInt32
  }

  /// The bytes of a value.
  private static func width(of metric: Metric) -> Int { metric.isCount ? 8 : 4 }

  /// Appends a column's values packed, unless that would not make them smaller.
  ///
  /// Neighbouring values share sign, exponent and the high bits of their mantissas; planes put the bytes that repeat side by side.
  private static func pack(
    _ column: Column,
    to writer: inout ByteWriter,
    _ deflater: Deflater
  ) -> Bool {
    let start = writer.count
    let count = column.bits.count
    let size = count * width(of: column.metric)
    let planes = writer.reserve(size)
    column.bits.withUnsafeBufferPointer { bits in
      for plane in 0..<width(of: column.metric) {
        let shift = UInt64(8 * plane)
        for index in 0..<count {
          planes.storeBytes(
            of: UInt8(truncatingIfNeeded: bits[index] &>> shift),
            toByteOffset: plane &* count &+ index,
            as: UInt8.self
          )
        }
      }
    }
    writer.advance(by: size)
    let packed = deflater.deflate(
      UnsafeRawBufferPointer(rebasing: writer.bytes[start...]),
      .repeats
    )
    writer.truncate(to: start)
    if let packed { writer.append(packed) }
    return packed != nil
  }

  private static func layout(of column: Column, rows: Int) -> UInt8 {
    precondition(!column.bits.isEmpty && column.bits.count == column.rows.count, "ragged column")
    let isConstant = column.bits.allSatisfy { $0 == column.bits[0] }
    return (column.bits.count == rows ? 0 : Layout.sparse) | (isConstant ? Layout.constant : 0)
  }

  /// Calls `body` with each column's entry, in order; none is kept, because a reader of one column wants one.
  @inline(__always)
  private static func readDirectory(
    rows: Int,
    of bytes: UnsafeRawBufferPointer,
    _ body: (Entry) -> Void
  ) throws(CodecError) {
    var reader = ByteReader(bytes)
    try BlobFrame.readHeader(&reader)
    let found = Int(try reader.read(UInt16.self))
    let count = Int(try reader.read(UInt8.self))
    let start = try reader.take(count * entrySize)
    try BlobFrame.check(bytes, 0..<reader.position, against: try reader.read())
    guard found == rows, rows >= 1, rows <= RowSet.maximumRows else {
      throw .unexpected("rows", expected: "\(rows)", found: "\(found)")
    }
    var directory = ByteReader(bytes, from: start)
    for _ in 0..<count {
      let metric = try directory.readCase(of: Metric.self)
      let layout = try directory.read(UInt8.self)
      guard layout <= Layout.all, layout & Layout.packed == 0 || layout & Layout.constant == 0
      else {
        throw .unexpected("\(metric)", expected: "layout 0 to 5", found: "\(layout)")
      }
      let size = try directory.readCount()
      let checksum = try directory.read(UInt32.self)
      let first = try reader.take(size)
      body(
        Entry(
          metric: metric,
          layout: layout,
          range: first..<reader.position,
          checksum: checksum
        )
      )
    }
    try reader.finish()
  }

  private static func stored(
    _ entry: Entry,
    rows: Int,
    of bytes: UnsafeRawBufferPointer,
    _ inflater: Inflater
  ) throws(CodecError) -> StoredColumn {
    try BlobFrame.check(bytes, entry.range, against: entry.checksum)
    var reader = ByteReader(bytes, from: entry.range.lowerBound, to: entry.range.upperBound)
    let present =
      entry.layout & Layout.sparse != 0
      ? try RowSet.read(rows: rows, from: &reader) : RowSet(first: rows)
    let width = width(of: entry.metric)
    let size = present.count * width
    let values = UnsafeRawBufferPointer(rebasing: bytes[reader.position..<entry.range.upperBound])
    guard entry.layout & Layout.packed == 0 else {
      let planes = try inflater.inflate(values, size: size)
      return StoredColumn(.planes, planes, width: width, rows: present)
    }
    let isConstant = entry.layout & Layout.constant != 0
    _ = try reader.take(isConstant ? width : size)
    try reader.finish()
    return StoredColumn(isConstant ? .constant : .plain, values, width: width, rows: present)
  }
}
