import GRDB
import Telemetry

/// Reads some tensors' histograms, each one's in step order, from the coarsest level that is fine enough.
struct HistogramReader {
  typealias Body = (_ tensor: UInt32, HistogramPoint) -> Bool

  private let reader: TelemetryReader
  private let tensors: [UInt32]
  private let maximumSpan: UInt64

  init(_ reader: TelemetryReader, tensors: [UInt32], maximumSpan: UInt64) {
    self.reader = reader
    self.tensors = tensors
    self.maximumSpan = maximumSpan
  }

  /// Calls `body` with all histograms; returns whether it never returned false.
  func read(_ body: Body) throws -> Bool {
    try read(RollupPieces(of: reader.steps, reader, maximumSpan: maximumSpan), body)
  }

  private func read(_ all: RollupPieces, _ body: Body) throws -> Bool {
    try all.forEach(
      rollup: { try read($0, $1, of: all, body) },
      measurements: { try readMeasurements($0, body) }
    )
  }

  /// Gives some points of a rollup; of a chunk that is damaged what the level below has.
  private func read(
    _ rollup: RollupPieces.Rollup,
    _ rows: ClosedRange<Int>,
    of all: RollupPieces,
    _ body: Body
  ) throws -> Bool {
    try tensors.allSatisfy { try read($0, rollup, rows, of: all, body) }
  }

  private func read(
    _ tensor: UInt32,
    _ rollup: RollupPieces.Rollup,
    _ rows: ClosedRange<Int>,
    of all: RollupPieces,
    _ body: Body
  ) throws -> Bool {
    let offset = ChunkKey.offset(.tensor, tensor)
    let entries = try reader.db.firstRow(
      "SELECT body FROM rollup_histograms WHERE key = ?",
      .integer(ChunkKey.first(of: rollup.id) + offset)
    ) { row in try? RollupHistogramCodec.read(row.blob(0), reader.inflater) }
    let isLost = entries == nil && rollup.contents?.histograms.contains(offset) ?? false
    // No row: no histogram in any point.
    guard entries != nil || isLost else { return true }
    guard let found = entries ?? nil, found.allSatisfy(rollup.has) else {
      let one = HistogramReader(reader, tensors: [tensor], maximumSpan: maximumSpan)
      return try one.read(all.below(rollup, rows), body)
    }
    return found.allSatisfy { !rows.contains($0.row) || body(tensor, $0.point) }
  }

  private func readMeasurements(_ steps: ClosedRange<UInt64>, _ body: Body) throws -> Bool {
    guard try tensors.allSatisfy({ try readSegments(of: $0, steps, body) }) else { return false }
    var goesOn = true
    try reader.log("histograms", steps) { step, bytes in
      try reader.decode("report of step \(step)") { () throws(CodecError) in
        let histograms = try LogHistograms(bytes)
        for tensor in tensors where goesOn {
          for histogram in try histograms.histograms(of: tensor) where goesOn {
            goesOn = body(tensor, HistogramPoint(step: step, histogram: histogram))
          }
        }
      }
      return goesOn
    }
    return goesOn
  }

  private func readSegments(
    of tensor: UInt32,
    _ steps: ClosedRange<UInt64>,
    _ body: Body
  ) throws -> Bool {
    try reader.segments(
      with: "histograms",
      key: "c.key = s.id * \(ChunkKey.span) + ?",
      offset: ChunkKey.offset(.tensor, tensor),
      steps,
      kept: \.histograms
    ) { segment in
      let entries = try reader.decode(.tensor, tensor, segment.range) { () throws(CodecError) in
        let entries = try HistogramChunkCodec.read(segment.body, reader.inflater)
        if let last = entries.last, last.row >= segment.rows {
          throw .unexpected(
            "histograms",
            expected: "rows below \(segment.rows)",
            found: "\(last.row)"
          )
        }
        return entries
      }
      let axis = try reader.axis(of: segment)
      for entry in entries where entry.row < segment.count && steps.contains(axis[entry.row]) {
        let point = HistogramPoint(step: axis[entry.row], histogram: entry.histogram)
        guard body(tensor, point) else { return false }
      }
      return true
    }
  }
}
