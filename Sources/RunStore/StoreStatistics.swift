/// How large a store is, and what it has still to do.
public struct StoreStatistics: Sendable, Equatable {
  /// The bytes of the database, without what waits in the write-ahead log.
  public var databaseBytes: UInt64
  /// The bytes of the write-ahead log's file.
  public var writeAheadLogBytes: UInt64
  /// The bytes of the database that hold nothing, and are used before it grows.
  public var freeBytes: UInt64
  /// The number of runs.
  public var runs: UInt64
  /// The number of reports that are not sealed yet.
  public var unsealedReports: UInt64
  /// The number of deleted runs of which something is still in the database.
  public var deletionsInProgress: UInt64

  /// Makes statistics.
  public init(
    databaseBytes: UInt64 = 0,
    writeAheadLogBytes: UInt64 = 0,
    freeBytes: UInt64 = 0,
    runs: UInt64 = 0,
    unsealedReports: UInt64 = 0,
    deletionsInProgress: UInt64 = 0
  ) {
    self.databaseBytes = databaseBytes
    self.writeAheadLogBytes = writeAheadLogBytes
    self.freeBytes = freeBytes
    self.runs = runs
    self.unsealedReports = unsealedReports
    self.deletionsInProgress = deletionsInProgress
  }
}
