import GRDB
public import Telemetry

extension SQLiteRunStore {
  /// Stores a rule set in place of the earlier one of its project or run.
  public func setRules(
    _ rules: RuleSet,
    of target: RuleTarget
  ) throws(RunStoreError) -> Int64 {
    try write("set rules of \(target.words)") { db in
      if case .run(let run) = target, try db.runKey(of: run) == nil {
        throw RunStoreError.unknownRun(run)
      }
      let text = try Place("rules of \(target.words)").decode { () throws(CodecError) in
        try RuleSetText.write(rules)
      }
      // The row that is replaced goes, so the key is a new one.
      try db.run(
        "INSERT OR REPLACE INTO rule_sets(target, name, body) VALUES (?, ?, ?)",
        .integer(target.number),
        .text(target.name),
        .text(text)
      )
      return db.lastInsertedRowID
    }
  }

  /// The rule set that was set last; `nil` if none ever was.
  public func rules(of target: RuleTarget) throws(RunStoreError) -> StoredRules? {
    try read("read rules of \(target.words)") { db in try Self.rules(of: target, in: db) }
  }

  /// What is in force for a run; both sets are read in one transaction.
  public func rulesInForce(
    for run: RunID,
    damaged: (RunStoreError) -> Void
  ) throws(RunStoreError) -> StoredRules {
    try read("read rules of run \(run)") { db in
      let project = try db.firstRow(
        "SELECT project FROM runs WHERE id = ?",
        .text(run.rawValue)
      ) { $0.text(0) }
      guard let project else { throw RunStoreError.unknownRun(run) }
      func found(_ target: RuleTarget) throws -> StoredRules? {
        do {
          return try Self.rules(of: target, in: db)
        } catch let error as RunStoreError {
          damaged(error)
          return nil
        }
      }
      let (below, above) = (try found(.project(project)), try found(.run(run)))
      return StoredRules(
        rules: (below?.rules ?? RuleSet()).overlaid(by: above?.rules ?? RuleSet()),
        revision: Swift.max(below?.revision ?? 0, above?.revision ?? 0)
      )
    }
  }

  private static func rules(of target: RuleTarget, in db: Database) throws -> StoredRules? {
    try db.firstRow(
      "SELECT revision, body FROM rule_sets WHERE target = ? AND name = ?",
      .integer(target.number),
      .text(target.name)
    ) { row in
      let rules = try Place("rules of \(target.words)").decode { () throws(CodecError) in
        try RuleSetText.read(row.text(1))
      }
      return StoredRules(rules: rules, revision: row.integer(0))
    }
  }

  /// Forgets the rules of a project or run.
  static func removeRules(of target: RuleTarget, in db: Database) throws {
    try db.run(
      "DELETE FROM rule_sets WHERE target = ? AND name = ?",
      .integer(target.number),
      .text(target.name)
    )
  }

  /// Stores a silence, and forgets those that had ended.
  public func addSilence(_ silence: Silence, at now: WallTime) throws(RunStoreError) {
    try write("add a silence") { db in
      let text = try Place("silence \(silence.id)").decode { () throws(CodecError) in
        try SilenceText.write(silence)
      }
      try db.run("DELETE FROM silences WHERE ends_at <= ?", .real(now.seconds))
      try db.run(
        "INSERT OR REPLACE INTO silences(id, ends_at, body) VALUES (?, ?, ?)",
        .text(silence.id),
        .real(silence.endsAt.seconds),
        .text(text)
      )
    }
  }

  /// Forgets a silence; returns whether there was one.
  public func removeSilence(_ id: String) throws(RunStoreError) -> Bool {
    try write("remove a silence") { db in
      try db.run("DELETE FROM silences WHERE id = ?", .text(id))
      return db.changesCount > 0
    }
  }

  /// All silences, the one that ends first before the others.
  public func silences(damaged: (RunStoreError) -> Void) throws(RunStoreError) -> [Silence] {
    try read("read silences") { db in
      var silences: [Silence] = []
      try db.rows("SELECT id, body FROM silences ORDER BY ends_at, id") { row in
        do throws(RunStoreError) {
          silences.append(
            try Place("silence \(row.text(0))").decode { () throws(CodecError) in
              try SilenceText.read(row.text(1))
            }
          )
        } catch {
          damaged(error)
        }
        return true
      }
      return silences
    }
  }
}

extension RuleTarget {
  /// Stored: never changes its meaning.
  fileprivate var number: Int64 {
    switch self {
    case .project: 1
    case .run: 2
    }
  }

  fileprivate var name: String {
    switch self {
    case .project(let name): name
    case .run(let run): run.rawValue
    }
  }

  /// For errors.
  fileprivate var words: String {
    switch self {
    case .project(let name): "project \(name)"
    case .run(let run): "run \(run)"
    }
  }
}
