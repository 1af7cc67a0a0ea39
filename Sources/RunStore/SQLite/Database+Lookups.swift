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

  /// The sequence numbers of a producer's rows in the log above one, in order, for which no row is looked at.
  func logSequences(of producer: Int64, after sequence: UInt64) throws -> [UInt64] {
    var sequences: [UInt64] = []
    try rows(
      "SELECT sequence FROM log WHERE producer = ? AND sequence > ? ORDER BY sequence",
      .integer(producer),
      .number(sequence)
    ) { row in
      sequences.append(row.number(0))
      return true
    }
    return sequences
  }

  /// What gives a run's model.
  ///
  /// Under the run's key with the sign changed stand those for which the page of the last ones was torn; where one stands that page is
  /// not looked at.
  static let modelBody =
    "SELECT body FROM models WHERE run = -?1 UNION ALL SELECT body FROM models WHERE run = ?1 LIMIT 1"

  /// The model of a run that is there.
  func model(of run: RunID, key: Int64) throws -> Model {
    let place = Place(run: run, "model")
    let model = try firstRow(Self.modelBody, .integer(key)) { row in
      try place.decode { () throws(CodecError) in try ModelCodec.read(row.blob(0)) }
    }
    guard let model else { throw place.lost }
    return model
  }
}
