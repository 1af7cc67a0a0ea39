import GRDB
import Telemetry

extension SQLiteRunStore {
  /// Stores how much is kept of a project.
  public func setRetention(
    _ retention: Retention?,
    of project: String?
  ) throws(RunStoreError) {
    // No project has an empty name.
    let name = SQLValue.text(project ?? "")
    try write("set retention") { db in
      guard let retention else {
        try db.run("DELETE FROM retention WHERE project = ?", name)
        return
      }
      try db.run(
        """
        INSERT OR REPLACE INTO retention(project, maximum_age, maximum_runs, maximum_bytes)
        VALUES (?, ?, ?, ?)
        """,
        name,
        .real(retention.maximumAge),
        .number(retention.maximumRuns),
        .number(retention.maximumBytes)
      )
    }
  }

  /// All that was set.
  public func retention() throws(RunStoreError) -> RetentionSettings {
    try read("read retention") { db in
      var settings = RetentionSettings()
      try db.rows(
        "SELECT project, maximum_age, maximum_runs, maximum_bytes FROM retention ORDER BY project"
      ) { row in
        let retention = Retention(
          maximumAge: row.isNull(1) ? nil : row.real(1),
          maximumRuns: row.isNull(2) ? nil : row.number(2),
          maximumBytes: row.isNull(3) ? nil : row.number(3)
        )
        let project = row.text(0)
        if project.isEmpty {
          settings.standard = retention
        } else {
          settings.entries.append(.init(project: project, retention: retention))
        }
        return true
      }
      return settings
    }
  }

  /// The projects that have runs, sorted.
  public func projects() throws(RunStoreError) -> [String] {
    try read("list projects") { db in
      var projects: [String] = []
      try db.rows("SELECT DISTINCT project FROM runs ORDER BY project") { row in
        projects.append(row.text(0))
        return true
      }
      return projects
    }
  }

  /// What each run of a project takes.
  ///
  /// Every segment has the bytes of its blobs beside it; for those that were sealed before version 4 they
  /// are counted. The log's rows are taken to be as large as the newest: each takes a page to look at.
  public func footprints(of project: String) throws(RunStoreError) -> [RunFootprint] {
    try read("measure project \(project)") { db in
      var footprints: [RunFootprint] = []
      try db.rows(
        "SELECT key, id, status, created_at, finished_at FROM runs WHERE project = ?",
        .text(project)
      ) { row in
        let key = row.integer(0)
        var footprint = RunFootprint(
          run: RunID(stored: row.text(1)),
          project: project,
          endedAt: nil,
          lastHeardAt: WallTime(clamping: row.real(3)),
          reports: 0,
          bytes: 0
        )
        var heard = row.real(3)
        try db.rows(Self.producerFootprints, .integer(key)) { row in
          heard = Swift.max(heard, row.real(0))
          footprint.reports += row.number(1)
          footprint.bytes += row.number(2) + row.number(3) + row.number(4)
          return true
        }
        footprint.bytes +=
          try db.firstRow(
            "SELECT length(body) FROM (\(Database.modelBody))",
            .integer(key)
          ) { $0.number(0) } ?? 0
        footprint.lastHeardAt = WallTime(clamping: heard)
        if row.integer(2) != Int64(RunStatus.running.rawValue) {
          footprint.endedAt = WallTime(
            clamping: row.isNull(4) ? heard : Swift.max(heard, row.real(4))
          )
        }
        footprints.append(footprint)
        return true
      }
      return footprints
    }
  }

  /// Of each producer of a run: when its last report arrived, its reports, the bytes of its segments, log
  /// and snapshot.
  private static let producerFootprints = """
    SELECT
      coalesce(p.last_received_at, 0),
      p.log_rows + (SELECT coalesce(sum(count), 0) FROM segments WHERE producer = p.key),
      (
        SELECT coalesce(sum(coalesce(s.bytes,
          (SELECT coalesce(sum(length(body)), 0) FROM chunks
            WHERE key >= s.id * \(ChunkKey.span) AND key < (s.id + 1) * \(ChunkKey.span))
          + (SELECT coalesce(sum(length(body)), 0) FROM histograms
            WHERE key >= s.id * \(ChunkKey.span) AND key < (s.id + 1) * \(ChunkKey.span))
        )), 0) FROM segments s WHERE s.producer = p.key
      ),
      p.log_rows * coalesce((
        SELECT length(body) + coalesce(length(histograms), 0) FROM log
        WHERE producer = p.key ORDER BY sequence DESC LIMIT 1
      ), 0),
      coalesce((SELECT length(state) FROM snapshots WHERE producer = p.key), 0)
    FROM producers p WHERE p.run = ?
    """
}
