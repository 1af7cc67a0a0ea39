import GRDB
public import Telemetry

extension SQLiteRunStore {
  /// The run, or `nil` if it is unknown.
  public func run(_ run: RunID) throws(RunStoreError) -> RunRecord? {
    try read("read run \(run)") { db in
      try db.firstRow("SELECT \(RunRecord.columns) FROM runs WHERE id = ?", .text(run.rawValue)) {
        try RunRecord($0, in: db)
      }
    }
  }

  /// When the run was registered first, or `nil` if it is unknown.
  public func creation(of run: RunID) throws(RunStoreError) -> WallTime? {
    try read("look for run \(run)") { db in
      try db.firstRow("SELECT created_at FROM runs WHERE id = ?", .text(run.rawValue)) {
        WallTime(clamping: $0.real(0))
      }
    }
  }

  /// A page of runs, in the order of their first registration, the newest first.
  public func runs(
    _ filter: RunFilter,
    page: PageRequest
  ) throws(RunStoreError) -> Page<RunRecord> {
    var listing = Listing(columns: RunRecord.columns, table: "runs", page: page)
    if let project = filter.project { listing.require("project = ?", .text(project)) }
    if let status = filter.status {
      // The plus keeps SQLite from the index by status where there is one by project: nearly all
      // runs of a collector are finished.
      let column = filter.project == nil ? "status" : "+status"
      listing.require("\(column) = ?", .integer(Int64(status.rawValue)))
    }
    if let time = filter.createdSince { listing.require("created_at >= ?", .real(time.seconds)) }
    return try read("list runs") { db in
      // The last column has the hyperparameters, of which there may be 16 MiB.
      try listing.page(in: db, size: { $0.blob(11).count }) { try RunRecord($0, in: db) }
    }
  }

  /// The run's model, or `nil` if the run is unknown.
  public func model(of run: RunID) throws(RunStoreError) -> Model? {
    try read("read model of run \(run)") { db in
      guard let key = try db.runKey(of: run) else { return nil }
      return try db.model(of: run, key: key)
    }
  }
}
