import RunStore
import Telemetry
import Testing

extension RunStoreCompat {
  private var settings: RuleSettings {
    var settings = RuleSettings(RuleID("vanishing_gradient"))
    settings.isEnabled = true
    settings.thresholds = ["a": 0.1, "b": -1e-300, "c": 1.0 / 3]
    settings.severities = [.info: nil, .warning: .critical]
    settings.layers = ["encoder.*", "\"ü/\\\""]
    settings.exceptLayers = ["*.embed"]
    settings.roles = [.weight, .head]
    return settings
  }

  func ruleSetsAreKeptByProjectAndRunAndReplaced() throws {
    var store = try open()
    _ = try store.register(Samples.registration(run: "same"), at: Samples.time(1))
    let run = RuleTarget.run(try RunID("same"))
    let project = RuleTarget.project("same")
    #expect(try store.rules(of: run) == nil)
    var off = RuleSettings(RuleID("a_rule_of_another_version"))
    off.isEnabled = false
    let first = try store.setRules(RuleSet([settings]), of: project)
    let second = try store.setRules(RuleSet([off]), of: run)
    #expect(second > first)
    #expect(
      try store.rules(of: project) == StoredRules(rules: RuleSet([settings]), revision: first)
    )
    // The whole set is replaced, and the newest revision belongs to the newest set.
    let third = try store.setRules(RuleSet([off]), of: project)
    let fourth = try store.setRules(RuleSet(), of: run)
    #expect(third > second && fourth > third)
    try store.close()
    store = try open()
    #expect(try store.rules(of: project) == StoredRules(rules: RuleSet([off]), revision: third))
    #expect(try store.rules(of: run) == StoredRules(rules: RuleSet(), revision: fourth))
    // The registration's project is "project".
    let fifth = try store.setRules(RuleSet([settings]), of: .project("project"))
    #expect(
      try store.rulesInForce(for: RunID("same"))
        == StoredRules(rules: RuleSet([settings]), revision: fifth)
    )
    var above = RuleSettings(settings.rule)
    above.thresholds = ["a": 7]
    let sixth = try store.setRules(RuleSet([above, off]), of: run)
    var both = settings
    both.thresholds["a"] = 7
    #expect(
      try store.rulesInForce(for: RunID("same"))
        == StoredRules(rules: RuleSet([both, off]), revision: sixth)
    )
    #expect(throws: RunStoreError.unknownRun(RunID(stored: "none"))) {
      _ = try store.rulesInForce(for: RunID(stored: "none"))
    }
    #expect(throws: RunStoreError.unknownRun(RunID(stored: "none"))) {
      try store.setRules(RuleSet(), of: .run(RunID(stored: "none")))
    }
    try store.close()
  }

  func silencesAreKeptUntilTheyEndOrAreRemoved() throws {
    var store = try open()
    #expect(try store.silences() == [])
    var whole = Silence(
      id: "b",
      endsAt: Samples.time(2e9 + 0.1),
      createdAt: Samples.time(1e9 + 0.7),
      author: "Ada",
      comment: "known \"fault\""
    )
    whole.rule = RuleID("dead_relu")
    whole.project = "project"
    whole.run = run
    whole.layer = "*.relu"
    let plain = Silence(
      id: "a",
      endsAt: Samples.time(1.5e9),
      createdAt: Samples.time(1),
      author: "B"
    )
    try store.addSilence(whole, at: Samples.time(1e9))
    try store.addSilence(plain, at: Samples.time(1e9))
    try store.close()
    store = try open()
    #expect(try store.silences() == [plain, whole])
    // What has ended goes when another one is added.
    let last = Silence(
      id: "c",
      endsAt: Samples.time(3e9),
      createdAt: Samples.time(1),
      author: ""
    )
    try store.addSilence(last, at: plain.endsAt)
    #expect(try store.silences() == [whole, last])
    #expect(try store.removeSilence("b"))
    #expect(try !store.removeSilence("b"))
    #expect(try store.silences() == [last])
    try store.close()
  }
}
