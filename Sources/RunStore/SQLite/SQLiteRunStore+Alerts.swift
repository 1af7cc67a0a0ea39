import GRDB
public import Telemetry

extension SQLiteRunStore {
  /// A page of alerts, in the order in which they were first stored, the newest first, but for those that are damaged.
  public func alerts(
    _ filter: AlertFilter,
    page: PageRequest,
    damaged: (RunStoreError) -> Void
  ) throws(RunStoreError) -> Page<Alert> {
    try read("list alerts") { db in
      // Few alerts are open of many that were, and an index has these alone.
      let isOpen = !filter.states.isEmpty && filter.states.isSubset(of: [.firing, .acknowledged])
      let table = isOpen && filter.run == nil ? "alerts INDEXED BY alerts_open" : "alerts"
      var listing = Listing(columns: "key, id, body", table: table, page: page)
      listing.require(Self.isOfARun)
      if isOpen { listing.require("state IN (2, 3)") }
      if let run = filter.run {
        guard let key = try db.runKey(of: run) else { throw RunStoreError.unknownRun(run) }
        listing.require("run = ?", .integer(key))
      }
      if let producer = filter.producer {
        listing.require("producer = ?", .text(producer.rawValue))
      }
      if let project = filter.project { listing.require("project = ?", .text(project)) }
      if let severity = filter.minimumSeverity {
        listing.require("severity >= ?", .integer(Int64(severity.rawValue)))
      }
      listing.require("rule", in: filter.rules.sorted().map { .text($0.rawValue) })
      listing.require(
        "state",
        in: filter.states.map(\.rawValue).sorted().map { .integer(Int64($0)) }
      )
      return try listing.page(in: db) { row in
        do throws(RunStoreError) {
          return try Self.alert(row.blob(2), id: row.text(1))
        } catch {
          damaged(error)
          return nil
        }
      }
    }
  }

  /// One alert, or `nil` if it is unknown.
  public func alert(_ id: AlertID) throws(RunStoreError) -> Alert? {
    try read("read alert \(id)") { db in
      try db.firstRow(
        "SELECT body FROM alerts WHERE id = ? AND \(Self.isOfARun)",
        .text(id.rawValue)
      ) {
        try Self.alert($0.blob(0), id: id.rawValue)
      }
    }
  }

  /// Up to `limit` transitions with cursors above `cursor`, oldest first, but for those that are damaged.
  public func transitions(
    after cursor: AlertCursor,
    limit: Int,
    damaged: (RunStoreError) -> Void
  ) throws(RunStoreError) -> [StoredTransition] {
    try read("read alert transitions") { db in
      var transitions: [StoredTransition] = []
      try db.rows(
        """
        SELECT t.cursor, r.project, t.body FROM alert_transitions t JOIN runs r ON r.key = t.run
        WHERE t.cursor > ? ORDER BY t.cursor
        """,
        .integer(cursor.rawValue)
      ) { row in
        guard transitions.count < limit else { return false }
        do throws(RunStoreError) {
          let transition = try Place("alert transition \(row.integer(0))").decode {
            () throws(CodecError) in try AlertCodec.readTransition(row.blob(2))
          }
          transitions.append(
            StoredTransition(
              cursor: AlertCursor(row.integer(0)),
              project: row.text(1),
              transition: transition
            )
          )
        } catch {
          damaged(error)
        }
        return true
      }
      return transitions
    }
  }

  /// The cursor of the newest transition that there ever was; ``AlertCursor/start`` if there was none.
  public func lastCursor() throws(RunStoreError) -> AlertCursor {
    try read("read the last alert cursor") { db in
      // SQLite's own note of it: the page with the newest ones is written to all the time, and may be the one that is torn.
      let last = try db.firstRow(
        "SELECT seq FROM sqlite_sequence WHERE name = 'alert_transitions'"
      ) { $0.integer(0) }
      return AlertCursor(last ?? 0)
    }
  }

  /// What an alert that a reader may see fulfils: its run is not being deleted.
  private static let isOfARun = "run NOT IN (SELECT run FROM deletions)"

  private static func alert(
    _ body: UnsafeRawBufferPointer,
    id: String
  ) throws(RunStoreError) -> Alert {
    try Place("alert \(id)").decode { () throws(CodecError) in try AlertCodec.read(body) }
  }
}
