import RunStore
import Telemetry
import Testing

/// What people wrote, damaged: it is told and left out, and keeps nobody from the rest.
@Suite("SQLite: damage to labels, rules and silences")
struct SQLiteRunStoreSettingsDamageTests {
  private let folder: TemporaryFolder
  private let store: SQLiteRunStore
  private let run = RunID(stored: "r1")

  /// Two runs without reports.
  init() throws {
    folder = try TemporaryFolder()
    store = try SQLiteRunStore(path: folder.file())
    for run in ["r1", "r2"] {
      _ = try store.register(Samples.registration(run: run), at: Samples.time(1))
    }
  }

  /// Where something is damaged; what it is instead if it is no damage.
  private func place(_ error: RunStoreError?) -> String {
    if case .damaged(let place, _)? = error { place } else { String(describing: error) }
  }

  @Test("a run whose labels are damaged is listed with the others, and can be ended and deleted")
  func labels() throws {
    try store.damage("labels", of: "runs", where: "id = 'r1'")
    let found = try store.runs(RunFilter(), page: PageRequest(size: 9)).items
    #expect(found.map(\.run.rawValue) == ["r2", "r1"])
    #expect(found.map(\.tags) == [["b", "a"], ["(labels are damaged)"]])
    #expect(found.map(\.hyperparameters) == [["lr": "0.1"], [:]])
    #expect(found.map(\.name) == ["name of r2", "name of r1"])
    _ = try store.commit([.finish(run: run, status: .failed, reason: "why", at: Samples.time(3))])
    #expect(try store.run(run)?.status == .failed)
    #expect(try store.run(run)?.statusReason == "why")
    #expect(try store.deleteRun(run, evenIfRunning: false))
    while try store.reclaimNext() {}
    #expect(
      try store.runs(RunFilter(), page: PageRequest(size: 9)).items.map(\.run.rawValue) == ["r2"]
    )
    try store.close()
    #expect(try SQLiteRunStore.verify(path: folder.file()) { _ in }.isSound)
  }

  @Test("labels that are registered anew take the place of damaged ones")
  func newLabels() throws {
    try store.damage("labels", of: "runs", where: "id = 'r1'")
    let registered = try store.register(Samples.registration(), at: Samples.time(2))
    #expect(registered.run.tags == ["b", "a"])
    #expect(try store.run(run)?.hyperparameters == ["lr": "0.1"])
    try store.close()
  }

  @Test("a damaged silence is told and left out, and can be removed")
  func silences() throws {
    let silences = (1...3).map { number in
      Silence(
        id: "s\(number)",
        endsAt: Samples.time(2e9 + Double(number)),
        createdAt: Samples.time(1),
        author: "Ada"
      )
    }
    for silence in silences { try store.addSilence(silence, at: Samples.time(1e9)) }
    try store.executeOnWriter("UPDATE silences SET body = '{' WHERE id = 's2'")
    var damages: [RunStoreError] = []
    let found = try store.silences { damages.append($0) }
    #expect(found == [silences[0], silences[2]])
    #expect(damages.map(place) == ["silence s2"])
    let error = #expect(throws: RunStoreError.self) { try store.silences() }
    #expect(place(error) == "silence s2")
    #expect(try store.removeSilence("s2"))
    #expect(try store.silences() == found)
    try store.close()
  }

  private func off(_ rule: String) -> RuleSet {
    var settings = RuleSettings(RuleID(rule))
    settings.isEnabled = false
    return RuleSet([settings])
  }

  @Test("of damaged rules it is told, and those of the other set are in force")
  func rules() throws {
    _ = try store.setRules(off("loss_plateau"), of: .project("project"))
    let own = try store.setRules(off("dead_relu"), of: .run(run))
    try store.executeOnWriter("UPDATE rule_sets SET body = '{' WHERE name = 'project'")
    try expectRules(StoredRules(rules: off("dead_relu"), revision: own), ["project project"])
    try store.executeOnWriter("UPDATE rule_sets SET body = '{' WHERE name = 'r1'")
    try expectRules(StoredRules(rules: RuleSet(), revision: 0), ["project project", "run r1"])
    // What replaces a damaged set is in force.
    let below = try store.setRules(off("loss_spike"), of: .project("project"))
    try expectRules(StoredRules(rules: off("loss_spike"), revision: below), ["run r1"])
    _ = try store.setRules(RuleSet(), of: .run(run))
    #expect(try store.rulesInForce(for: run).rules == off("loss_spike"))
    #expect(throws: RunStoreError.unknownRun(RunID(stored: "none"))) {
      _ = try store.rulesInForce(for: RunID(stored: "none")) { _ in }
    }
    try store.close()
  }

  /// Expects what is in force for the run without the damaged sets, and that who can't do without them is told of the first.
  private func expectRules(_ expected: StoredRules, _ damaged: [String]) throws {
    var damages: [RunStoreError] = []
    let found = try store.rulesInForce(for: run) { damages.append($0) }
    #expect(found == expected)
    #expect(damages.map(place) == damaged.map { "rules of \($0)" })
    let error = #expect(throws: RunStoreError.self) { try store.rulesInForce(for: run) }
    #expect(error == damages.first)
  }
}
