import GRDB

/// The tables, as a list of migrations that only grows.
///
/// `Format.md` draws every table and says why it is as it is; page and migrations change together.
enum Schema {
  /// "GRAD", in the header of the file, by which `file` and this store know it.
  static let applicationID: Int32 = 0x4752_4144

  /// All migrations, the oldest first.
  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1: runs, log, segments, alerts") { db in
      try db.execute(sql: runs)
      try db.execute(sql: telemetry)
      try db.execute(sql: alerts)
    }
    migrator.registerMigration("2: rules, silences") { db in try db.execute(sql: rules) }
    migrator.registerMigration("3: annotations") { db in try db.execute(sql: annotations) }
    migrator.registerMigration("4: deletions, retention") { db in try db.execute(sql: retention) }
    migrator.registerMigration("5: rollups") { db in try db.execute(sql: rollups) }
    // Also so that an earlier program does not find blobs that it would call damaged.
    migrator.registerMigration("6: counts in columns") { db in try db.execute(sql: textKeys) }
    migrator.registerMigration("7: rollups of scalars, contents") { db in
      try db.execute(sql: rollupScalars)
    }
    return migrator
  }

  private static let runs = """
    CREATE TABLE runs (
      key INTEGER PRIMARY KEY,
      id TEXT NOT NULL UNIQUE,
      project TEXT NOT NULL,
      name TEXT NOT NULL,
      framework TEXT NOT NULL,
      status INTEGER NOT NULL,
      status_reason TEXT NOT NULL,
      created_at REAL NOT NULL,
      finished_at REAL,
      layer_count INTEGER NOT NULL,
      tensor_count INTEGER NOT NULL,
      labels BLOB NOT NULL
    ) STRICT;
    CREATE INDEX runs_by_project ON runs(project);
    CREATE INDEX runs_by_status ON runs(status);

    CREATE TABLE models (
      run INTEGER PRIMARY KEY,
      body BLOB NOT NULL
    ) STRICT;

    CREATE TABLE producers (
      key INTEGER PRIMARY KEY,
      run INTEGER NOT NULL,
      id TEXT NOT NULL,
      rank INTEGER,
      world_size INTEGER,
      last_sequence INTEGER NOT NULL DEFAULT 0,
      last_step INTEGER,
      last_received_at REAL,
      covered_sequence INTEGER NOT NULL DEFAULT 0,
      log_rows INTEGER NOT NULL DEFAULT 0,
      covered_rows INTEGER NOT NULL DEFAULT 0,
      UNIQUE (run, id)
    ) STRICT;
    CREATE INDEX producers_to_seal ON producers(covered_rows) WHERE covered_rows > 0;

    CREATE TABLE snapshots (
      producer INTEGER PRIMARY KEY,
      sequence INTEGER NOT NULL,
      state BLOB NOT NULL
    ) STRICT;
    """

  private static let telemetry = """
    CREATE TABLE log (
      key INTEGER PRIMARY KEY,
      producer INTEGER NOT NULL,
      sequence INTEGER NOT NULL,
      step INTEGER NOT NULL,
      received_at REAL NOT NULL,
      rewinds INTEGER NOT NULL,
      body BLOB NOT NULL,
      histograms BLOB,
      UNIQUE (producer, sequence)
    ) STRICT;

    CREATE TABLE segments (
      id INTEGER PRIMARY KEY,
      producer INTEGER NOT NULL,
      first_step INTEGER NOT NULL,
      last_step INTEGER NOT NULL,
      first_sequence INTEGER NOT NULL,
      last_sequence INTEGER NOT NULL,
      count INTEGER NOT NULL,
      rows INTEGER NOT NULL,
      axis BLOB NOT NULL
    ) STRICT;
    CREATE INDEX segments_by_step ON segments(producer, last_step);

    CREATE TABLE segment_scalars (
      segment INTEGER PRIMARY KEY,
      body BLOB NOT NULL,
      time_step_norms BLOB
    ) STRICT;

    CREATE TABLE chunks (
      key INTEGER PRIMARY KEY,
      body BLOB NOT NULL
    ) STRICT;

    CREATE TABLE histograms (
      key INTEGER PRIMARY KEY,
      body BLOB NOT NULL
    ) STRICT;
    """

  private static let alerts = """
    CREATE TABLE alerts (
      key INTEGER PRIMARY KEY,
      id TEXT NOT NULL UNIQUE,
      run INTEGER NOT NULL,
      project TEXT NOT NULL,
      producer TEXT NOT NULL,
      rule TEXT NOT NULL,
      severity INTEGER NOT NULL,
      state INTEGER NOT NULL,
      first_step INTEGER NOT NULL,
      body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX alerts_by_run ON alerts(run);
    CREATE INDEX alerts_by_project ON alerts(project);
    CREATE INDEX alerts_open ON alerts(run, severity, state) WHERE state IN (2, 3);

    CREATE TABLE alert_transitions (
      cursor INTEGER PRIMARY KEY AUTOINCREMENT,
      alert INTEGER NOT NULL,
      run INTEGER NOT NULL,
      body BLOB NOT NULL
    ) STRICT;
    """

  private static let rules = """
    CREATE TABLE rule_sets (
      revision INTEGER PRIMARY KEY AUTOINCREMENT,
      target INTEGER NOT NULL,
      name TEXT NOT NULL,
      body TEXT NOT NULL,
      UNIQUE (target, name)
    ) STRICT;

    CREATE TABLE silences (
      id TEXT PRIMARY KEY,
      ends_at REAL NOT NULL,
      body TEXT NOT NULL
    ) STRICT;
    """

  private static let annotations = """
    CREATE TABLE annotations (
      key INTEGER PRIMARY KEY,
      run INTEGER NOT NULL,
      producer INTEGER NOT NULL,
      step INTEGER NOT NULL,
      received_at REAL NOT NULL,
      action TEXT NOT NULL,
      detail TEXT NOT NULL,
      alert TEXT
    ) STRICT;
    CREATE INDEX annotations_by_run ON annotations(run);
    CREATE INDEX annotations_by_step ON annotations(producer, step);
    """

  private static let retention = """
    CREATE TABLE deletions (
      run INTEGER PRIMARY KEY,
      id TEXT NOT NULL,
      is_empty INTEGER NOT NULL DEFAULT 0
    ) STRICT;

    CREATE TABLE retention (
      project TEXT PRIMARY KEY,
      maximum_age REAL,
      maximum_runs INTEGER,
      maximum_bytes INTEGER
    ) STRICT;

    ALTER TABLE segments ADD COLUMN bytes INTEGER;
    CREATE INDEX alert_transitions_by_run ON alert_transitions(run);
    """

  private static let rollups = """
    CREATE TABLE rollups (
      id INTEGER PRIMARY KEY,
      producer INTEGER NOT NULL,
      level INTEGER NOT NULL,
      first_step INTEGER NOT NULL,
      last_step INTEGER NOT NULL,
      rows INTEGER NOT NULL,
      axis BLOB NOT NULL
    ) STRICT;
    CREATE INDEX rollups_by_step ON rollups(producer, level, last_step);

    CREATE TABLE rollup_chunks (
      key INTEGER PRIMARY KEY,
      body BLOB NOT NULL
    ) STRICT;

    CREATE TABLE rollup_histograms (
      key INTEGER PRIMARY KEY,
      body BLOB NOT NULL
    ) STRICT;
    """

  private static let rollupScalars = """
    CREATE TABLE rollup_scalars (
      rollup INTEGER PRIMARY KEY,
      body BLOB NOT NULL
    ) STRICT;
    ALTER TABLE segments ADD COLUMN contents BLOB;
    ALTER TABLE rollups ADD COLUMN contents BLOB;
    """

  /// Tables whose key is text, without a second tree for it: a page each in a file that has few.
  private static let textKeys = """
    ALTER TABLE silences RENAME TO silences_5;
    CREATE TABLE silences (
      id TEXT PRIMARY KEY,
      ends_at REAL NOT NULL,
      body TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    INSERT INTO silences SELECT id, ends_at, body FROM silences_5 WHERE id IS NOT NULL;
    DROP TABLE silences_5;

    ALTER TABLE retention RENAME TO retention_5;
    CREATE TABLE retention (
      project TEXT PRIMARY KEY,
      maximum_age REAL,
      maximum_runs INTEGER,
      maximum_bytes INTEGER
    ) STRICT, WITHOUT ROWID;
    INSERT INTO retention SELECT project, maximum_age, maximum_runs, maximum_bytes
      FROM retention_5 WHERE project IS NOT NULL;
    DROP TABLE retention_5;
    """
}
