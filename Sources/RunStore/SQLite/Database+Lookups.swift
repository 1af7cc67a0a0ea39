import GRDB
import Telemetry

/// The integer keys of a producer and its run.
struct ProducerKeys {
  /// The run's key.
  let run: Int64
  /// The producer's key.
  let producer: Int64
}

extension Database {
  /// A run's key; `nil` if it is unknown.
  func runKey(of run: RunID) throws -> Int64? {
    try firstRow("SELECT key FROM runs WHERE id = ?", .text(run.rawValue)) { $0.integer(0) }
  }

  /// The keys of a producer and its run.
  func keys(of run: RunID, _ producer: ProducerID) throws -> ProducerKeys {
    guard let runKey = try runKey(of: run) else { throw RunStoreError.unknownRun(run) }
    let key = try firstRow(
      "SELECT key FROM producers WHERE run = ? AND id = ?",
      .integer(runKey),
      .text(producer.rawValue)
    ) { $0.integer(0) }
    guard let key else { throw RunStoreError.unknownProducer(run, producer) }
    return ProducerKeys(run: runKey, producer: key)
  }

  /// The one number that a statement without values gives; 0 if it gives none.
  func number(_ sql: String) throws -> Int64 { try firstRow(sql) { $0.integer(0) } ?? 0 }

  /// A run's model.
  func model(of run: RunID, key: Int64) throws -> Model? {
    try firstRow("SELECT body FROM models WHERE run = ?", .integer(key)) { row in
      try Place(run: run, "model").decode { () throws(CodecError) in
        try ModelCodec.read(row.blob(0))
      }
    }
  }
}
