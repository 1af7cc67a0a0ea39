import GRDB

/// One transaction's part of the deletion of a run, or of what producers that went back have dropped.
///
/// Rows go in an order in which what is left can still be found: what hangs on a segment before the
/// segment, what hangs on a producer before the producer. A key is free only when nothing hangs on it.
struct DeletionSlice: ~Copyable {
  /// What stands in place of a run's key for what producers dropped: no run has it, nor had.
  static let dropped: Int64 = -1

  private let db: Database
  /// The bytes that may still be removed.
  private var bytes: Int64
  /// The keys of the producers that were removed.
  private(set) var producers: [Int64] = []

  /// A row counts as at least this: small ones cost the descent to them.
  private static let leastBytes: Int64 = 1024

  /// Starts a slice in a transaction that has begun.
  init(_ db: Database, bytes: Int) {
    self.db = db
    self.bytes = Int64(bytes)
  }

  /// Removes what there is of a run, as far as the slice reaches; returns whether nothing is left.
  mutating func removeAll(of run: Int64) throws -> Bool {
    while let producer = try first("SELECT key FROM producers WHERE run = ? LIMIT 1", run) {
      guard try removeTelemetry(of: producer) else { return false }
      bytes -= Self.leastBytes
      bytes -= try first("SELECT length(state) FROM snapshots WHERE producer = ?", producer) ?? 0
      try db.run("DELETE FROM snapshots WHERE producer = ?", .integer(producer))
      try db.run("DELETE FROM producers WHERE key = ?", .integer(producer))
      producers.append(producer)
    }
    guard try remove(from: "annotations", by: "key", size: "length(detail)", of: "run", run),
      try remove(from: "alert_transitions", by: "cursor", size: "length(body)", of: "run", run),
      try remove(from: "alerts", by: "key", size: "length(body)", of: "run", run)
    else { return false }
    guard run != Self.dropped else { return true }
    try db.run(
      """
      DELETE FROM models WHERE run =
        (SELECT run FROM models WHERE run = -?1 UNION ALL SELECT ?1 LIMIT 1)
      """,
      .integer(run)
    )
    return true
  }

  private mutating func removeTelemetry(of producer: Int64) throws -> Bool {
    for (kind, tables) in [
      ("rollup", ["rollup_chunks", "rollup_histograms"]), ("segment", ["chunks", "histograms"]),
    ] {
      while let id = try first("SELECT id FROM \(kind)s WHERE producer = ? LIMIT 1", producer) {
        guard try removeChunks(of: id, from: tables) else { return false }
        try db.run("DELETE FROM \(kind)_scalars WHERE \(kind) = ?", .integer(id))
        try db.run("DELETE FROM \(kind)s WHERE id = ?", .integer(id))
        bytes -= Self.leastBytes
      }
    }
    return try remove(
      from: "log",
      by: "sequence",
      size: "length(body) + coalesce(length(histograms), 0)",
      of: "producer",
      producer
    )
  }

  private mutating func removeChunks(of span: Int64, from tables: [String]) throws -> Bool {
    let first = ChunkKey.first(of: span)
    return try tables.allSatisfy { table in
      try remove(
        from: table,
        by: "key",
        size: "length(body)",
        where: "key >= ? AND key < ?",
        [.integer(first), .integer(first + ChunkKey.span)]
      )
    }
  }

  private mutating func remove(
    from table: String,
    by key: String,
    size: String,
    of owner: String,
    _ value: Int64
  ) throws -> Bool {
    try remove(from: table, by: key, size: size, where: "\(owner) = ?", [.integer(value)])
  }

  /// Removes rows in the order of their keys, as far as the slice reaches; returns whether none is left.
  private mutating func remove(
    from table: String,
    by key: String,
    size: String,
    where condition: String,
    _ values: [SQLValue]
  ) throws -> Bool {
    var last: Int64?
    var isAll = true
    let sql = "SELECT \(key), \(size) FROM \(table) WHERE \(condition) ORDER BY \(key)"
    try db.rows(sql, values) { row in
      guard bytes > 0 else {
        isAll = false
        return false
      }
      last = row.integer(0)
      bytes -= Swift.max(row.integer(1), Self.leastBytes)
      return true
    }
    guard let last else { return isAll }
    try db.rows(
      "DELETE FROM \(table) WHERE \(condition) AND \(key) <= ?",
      values + [.integer(last)]
    ) { _ in true }
    return isAll
  }

  private func first(_ sql: String, _ value: Int64) throws -> Int64? {
    try db.firstRow(sql, .integer(value)) { $0.integer(0) }
  }
}
