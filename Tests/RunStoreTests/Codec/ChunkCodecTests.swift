import RunStore
import Telemetry
import TelemetryTesting
import Testing

@Suite("Chunk codec")
struct ChunkCodecTests {
  @Test(
    "columns of every layout are read back bit for bit, compressed or not",
    arguments: [1, 2, 63, 64, 65, 255, 256],
    [false, true]
  )
  func layouts(rows: Int, isCompressed: Bool) throws {
    let deflater = isCompressed ? Deflater() : nil
    let inflater = Inflater()
    var random = SeededGenerator(seed: UInt64(rows))
    var sparse = RowSet()
    for row in 0..<rows where row == rows - 1 || Bool.random(using: &random) { sparse.insert(row) }
    var columns: [ChunkCodec.Column] = []
    for (metric, set) in [
      (Metric.gradientNorm, RowSet(first: rows)), (.gradientMean, sparse),
      (.gradientNaNCount, RowSet(first: rows)), (.gradientZeroCount, sparse),
    ] {
      // A third of the counts' bytes and half of a float's repeat.
      let limit = metric.rawValue < 7 ? UInt64(UInt16.max) : 1 << 40
      let bits = (0..<set.count).map { _ in UInt64.random(in: 0...limit, using: &random) }
      columns.append(ChunkCodec.Column(metric: metric, rows: set, bits: bits))
    }
    for (metric, set) in [
      (Metric.parameterNorm, RowSet(first: rows)), (.updateNorm, sparse),
      (.gradientPositiveInfinityCount, sparse),
    ] {
      let bits = [UInt64](repeating: 0x7FC0_1234, count: set.count)
      columns.append(ChunkCodec.Column(metric: metric, rows: set, bits: bits))
    }
    var writer = ByteWriter()
    ChunkCodec.write(columns, rows: rows, to: &writer, deflater)
    #expect(try ChunkCodec.readAll(rows: rows, from: writer.bytes, inflater) == columns)
    for column in columns {
      #expect(
        try ChunkCodec.read(column.metric, rows: rows, from: writer.bytes, inflater) == column
      )
    }
    #expect(try ChunkCodec.read(.gradientMax, rows: rows, from: writer.bytes, inflater) == nil)
    #expect(throws: CodecError("rows: expected \(rows + 1), found \(rows)")) {
      try ChunkCodec.read(.gradientNorm, rows: rows + 1, from: writer.bytes, inflater)
    }
  }

  @Test("a constant column takes one value")
  func constant() {
    func size(_ bits: [UInt64]) -> Int {
      var writer = ByteWriter()
      let column = ChunkCodec.Column(
        metric: .gradientNaNCount,
        rows: RowSet(first: 256),
        bits: bits
      )
      ChunkCodec.write([column], rows: 256, to: &writer, nil)
      return writer.count
    }
    #expect(size([UInt64](repeating: 0, count: 256)) == 19 + 8)
    #expect(size([UInt64](repeating: 0, count: 255) + [1]) == 19 + 8 * 256)
  }

  @Test("damage in one column leaves the others readable")
  func damage() throws {
    let rows = RowSet(first: 2)
    let columns = [
      ChunkCodec.Column(metric: .gradientNorm, rows: rows, bits: [1, 2]),
      ChunkCodec.Column(metric: .gradientMean, rows: rows, bits: [3, 4]),
    ]
    var writer = ByteWriter()
    ChunkCodec.write(columns, rows: 2, to: &writer, nil)
    var bytes = writer.array
    bytes[bytes.count - 1] ^= 1
    var damaged = ByteWriter()
    damaged.append(elements: bytes)
    #expect(
      try ChunkCodec.read(.gradientNorm, rows: 2, from: damaged.bytes, Inflater()) == columns[0]
    )
    #expect(throws: CodecError.self) {
      try ChunkCodec.read(.gradientMean, rows: 2, from: damaged.bytes, Inflater())
    }
  }
}
