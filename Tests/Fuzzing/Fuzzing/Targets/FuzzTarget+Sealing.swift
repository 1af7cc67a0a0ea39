import Foundation
import RunStore
import Synchronization
import Telemetry
import TelemetryTesting

extension FuzzTarget {
  /// Log rows that are sealed into a segment and read back from it, as the store does it.
  ///
  /// An input is a list of rows: the size of the body and of the histograms, 3 bytes each, and both.
  static let sealing = FuzzTarget(
    name: "sealing",
    seeds: { random in
      try (0..<8).map { _ in
        let count = Int.random(in: 1...12, using: &random)
        return try LogRows(
          (1...count).map { sequence in
            let report = StepReport.random(
              UInt64(sequence),
              step: UInt64(3 * sequence),
              layers: 3,
              tensors: 5,
              using: &random
            )
            var body = ByteWriter()
            try LogRowCodec.writeBody(of: report, to: &body)
            var histograms = ByteWriter()
            if LogRowCodec.hasHistograms(report) {
              try LogRowCodec.writeHistograms(of: report, to: &histograms)
            }
            return LogRows.Row(body: body.array, histograms: histograms.array)
          }
        ).bytes
      }
    },
    mutate: { bytes, pool, random in
      guard var rows = LogRows(bytes) else {
        Mutation.change(&bytes, pool: pool, &random)
        return
      }
      rows.change(pool, &random)
      bytes = rows.bytes
    },
    check: { input throws(FuzzFinding) in
      guard let rows = LogRows(input) else { return false }
      do {
        return try SealedRows.shared.withLock { try $0.check(rows.rows) }
      } catch let finding as FuzzFinding {
        throw finding
      } catch {
        throw FuzzFinding("expected damage or a result, found \(error)")
      }
    }
  )
}

/// The rows of an input.
private struct LogRows {
  struct Row {
    var body: [UInt8]
    /// Empty if there are none.
    var histograms: [UInt8]
  }

  var rows: [Row]

  init(_ rows: [Row]) { self.rows = rows }

  /// Takes an input apart; `nil` if a length is wrong.
  init?(_ bytes: [UInt8]) {
    rows = []
    var rest = bytes[...]
    func part(of size: ArraySlice<UInt8>) -> [UInt8]? {
      let count = size.reversed().reduce(0) { $0 << 8 | Int($1) }
      guard count <= rest.count else { return nil }
      defer { rest = rest.dropFirst(count) }
      return Array(rest.prefix(count))
    }
    while !rest.isEmpty {
      guard rest.count >= 6, rows.count < 64 else { return nil }
      let sizes = rest.prefix(6)
      rest = rest.dropFirst(6)
      guard let body = part(of: sizes.prefix(3)), let histograms = part(of: sizes.suffix(3))
      else { return nil }
      rows.append(Row(body: body, histograms: histograms))
    }
  }

  /// The input again.
  var bytes: [UInt8] {
    rows.flatMap { row in
      [row.body, row.histograms].flatMap { part in
        (0..<3).map { UInt8(truncatingIfNeeded: part.count >> (8 * $0)) }
      } + row.body + row.histograms
    }
  }

  mutating func change(_ pool: [[UInt8]], _ random: inout SeededGenerator) {
    guard !rows.isEmpty else { return }
    for _ in 0..<Int.random(in: 1...2, using: &random) {
      let place = Int.random(in: rows.indices, using: &random)
      switch Int.random(in: 0..<8, using: &random) {
      case 0 where rows.count > 1: rows.remove(at: place)
      case 1:
        guard rows.count < 24, let other = pool.randomElement(using: &random),
          let row = LogRows(other)?.rows.randomElement(using: &random)
        else { continue }
        rows.insert(row, at: place)
      case 2, 3, 4: BlobForm.frame.change(&rows[place].body, [], &random)
      default: BlobForm.frame.change(&rows[place].histograms, [], &random)
      }
    }
  }
}

/// A store that is given log rows as no commit would write them.
private struct SealedRows {
  static let shared = Mutex(SealedRows())

  private var store: SQLiteRunStore?
  private var producers = 0

  /// Seals rows and reads all that there is; whether they could be sealed.
  mutating func check(_ rows: [LogRows.Row]) throws -> Bool {
    let store = try opened()
    // A producer whose log is damaged is left alone from then on, so every input has its own.
    producers += 1
    let producer = ProducerID(stored: "producer \(producers)")
    let count = rows.count
    try store.executeOnWriter(
      """
      BEGIN;
      DELETE FROM log; DELETE FROM segments; DELETE FROM segment_scalars; DELETE FROM chunks;
      DELETE FROM histograms; DELETE FROM producers;
      INSERT INTO producers(key, run, id, last_sequence, last_step, covered_sequence, log_rows,
        covered_rows)
      VALUES (\(producers), 1, '\(producer)', \(count), \(3 * count), \(count), \(count), \(count));
      """
        + rows.enumerated().map { index, row in
          let sequence = index + 1
          let histograms = row.histograms.isEmpty ? "NULL" : "x'\(Self.digits(row.histograms))'"
          return """
            INSERT INTO log(producer, sequence, step, received_at, rewinds, body, histograms)
            VALUES (\(producers), \(sequence), \(3 * sequence), 1, 0, x'\(Self.digits(row.body))',
              \(histograms));
            """
        }.joined() + "COMMIT;"
    )
    try Self.expectDamageAtMost { try Self.read(store, producer) }
    var isSealed = false
    try Self.expectDamageAtMost {
      while try store.sealNext() { isSealed = true }
    }
    try Self.expectDamageAtMost { try Self.read(store, producer) }
    return isSealed
  }

  private mutating func opened() throws -> SQLiteRunStore {
    if let store { return store }
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("gradwatch-fuzz-sealing-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    let store = try SQLiteRunStore(path: folder.appendingPathComponent("fuzz.sqlite").path)
    // What is stored here is not to outlive the process.
    try store.executeOnWriter("PRAGMA synchronous = OFF")
    let registration = try RunRegistration(
      run: StoredBlobs.run,
      project: "fuzz",
      producer: Producer(id: StoredBlobs.producer),
      model: StoredBlobs.model()
    )
    _ = try store.register(registration, at: WallTime(clamping: 1))
    let end = RunChange.finish(
      run: StoredBlobs.run,
      status: .finished,
      reason: "",
      at: WallTime(clamping: 2)
    )
    _ = try store.commit([end])
    self.store = store
    return store
  }

  private static func read(_ store: SQLiteRunStore, _ producer: ProducerID) throws {
    let run = StoredBlobs.run
    for metric in [Metric.gradientNorm, .gradientNaNCount, .updateNorm, .activationMean] {
      for index in UInt32(0)..<3 {
        try expectDamageAtMost {
          let selection = SeriesSelection(
            run: run,
            producer: producer,
            metric: metric,
            index: index,
            steps: 0...Step.maximum
          )
          try store.readSeries(selection) { _ in true }
        }
      }
    }
    for tensor in UInt32(0)..<3 {
      try expectDamageAtMost {
        try store.readHistograms(
          of: run,
          producer: producer,
          tensor: tensor,
          steps: 0...Step.maximum,
          maximumSpan: 1
        ) { _ in true }
      }
    }
    try expectDamageAtMost {
      try store.readScalars(of: run, producer: producer, steps: 0...Step.maximum) { _ in true }
    }
  }

  private static func expectDamageAtMost(_ body: () throws -> Void) throws {
    do {
      try body()
    } catch RunStoreError.damaged(let place, let detail) {
      guard !place.isEmpty, !detail.isEmpty else { throw FuzzFinding("damage without a place") }
    }
  }

  private static func digits(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
      as: UTF8.self
    )
  }
}
