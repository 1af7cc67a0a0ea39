import Detection
import Telemetry
import Testing

@Suite("a user's rule set")
struct TuningTests {
  private static let dead = RuleID("dead_relu")

  /// Settings of `dead_relu`.
  private static func settings(_ change: (inout RuleSettings) -> Void) -> RuleSet {
    var settings = RuleSettings(dead)
    change(&settings)
    return RuleSet([settings])
  }

  /// Feeds eight reports and more in which `shares` of the units of each layer are dead.
  private func watch(_ rules: RuleSet, steps: Int = 8, shares: [Float]) throws -> Watch {
    let net = try Net(depth: 4)
    var watch = try Watch(net.model, rules: rules)
    for step in 0..<steps {
      var report = net.report(UInt64(step))
      report.activations.deadUnitFraction = shares
      watch.feed(report)
    }
    return watch
  }

  @Test("a threshold moves the bound, and the evidence names it")
  func threshold() throws {
    let rules = Self.settings { $0.thresholds = ["warning_share": 0.5] }
    let watch = try watch(rules, shares: [0.1, 0.6, 0.1, 0.1])
    #expect(watch.life("dead_relu").last == "firing warning @7")
    #expect(watch.open("dead_relu")?.evidence.threshold == 0.5)
    #expect(try self.watch(RuleSet(), shares: [0.1, 0.6, 0.1, 0.1]).life("dead_relu") == [])
  }

  @Test("a threshold that no rule file could set, as a database may have it, counts as not set")
  func outOfRange() throws {
    for value in [-1, 1e300, .nan] {
      let rules = Self.settings { $0.thresholds = ["warning_share": value] }
      #expect(
        try watch(rules, shares: [0.1, 0.6, 0.1, 0.1]).life("dead_relu")
          == watch(RuleSet(), shares: [0.1, 0.6, 0.1, 0.1]).life("dead_relu")
      )
    }
  }

  @Test("a rule that is off says nothing")
  func off() throws {
    let rules = Self.settings { $0.isEnabled = false }
    #expect(try watch(rules, shares: [1, 1, 1, 1]).life("dead_relu") == [])
  }

  @Test("a severity becomes another one, or none")
  func severities() throws {
    for (severities, life) in [
      ([Severity.critical: .info], ["pending info @3", "firing info @7"]),
      ([.critical: nil], []),
      ([.warning: .critical], ["pending critical @3", "firing critical @7"]),
    ] as [([Severity: Severity?], [String])] {
      let rules = Self.settings { $0.severities = severities }
      #expect(try watch(rules, shares: [0.95, 0.1, 0.1, 0.1]).life("dead_relu") == life)
    }
  }

  @Test(
    "without its critical alerts a rule still warns",
  )
  func warningLeft() throws {
    // 0.85 is a warning, and past the bound at which a critical alert would clear.
    let rules = Self.settings { $0.severities = [.critical: nil] }
    let watch = try watch(rules, shares: [0.85, 0.1, 0.1, 0.1])
    #expect(watch.life("dead_relu").last == "firing warning @7")
  }

  @Test("globs choose layers, and exceptions take some out again")
  func layers() throws {
    for (wanted, unwanted, scopes) in [
      (["dense_[0-9]"], [], []),
      (["dense_1"], [], [AlertScope.layers(1...1)]),
      (["dense_*"], ["dense_0", "dense_2"], [.layers(1...1), .layers(3...3)]),
      ([], ["dense_?"], []),
    ] as [([String], [String], [AlertScope])] {
      let rules = Self.settings {
        $0.layers = wanted
        $0.exceptLayers = unwanted
      }
      let watch = try watch(rules, shares: [1, 1, 1, 1])
      let found = watch.alerts("dead_relu").map(\.scope)
      // Two of two layers are the run.
      #expect(found == (scopes.count == 2 ? [.run] : scopes))
      #expect(
        watch.alerts("dead_relu").first?.evidence.layers
          == (scopes.isEmpty ? nil : scopes.count == 2 ? ["dense_1", "dense_3"] : ["dense_1"])
      )
    }
  }

  @Test("roles choose tensors")
  func roles() throws {
    for (roles, layers, tensors) in [
      ([], [], [2, 3]), ([.bias], [], [3]), ([.embedding], [], []), ([.bias], ["dense_1"], [3]),
      ([.bias], ["dense_0"], []),
    ] as [(Set<TensorRole>, [String], [Int])] {
      var settings = RuleSettings(RuleID("unchanged_weights"))
      settings.roles = roles
      settings.layers = layers
      let net = try Net(depth: 4)
      var watch = try Watch(net.model, rules: RuleSet([settings]))
      for step in 0..<25 {
        var report = net.report(UInt64(step))
        report.parameters.updateNorm[2] = 0
        report.parameters.updateNorm[3] = 0
        watch.feed(report)
      }
      let names = tensors.map { net.model.tensors[$0].name }
      #expect(watch.alerts("unchanged_weights").flatMap(\.evidence.tensors) == names)
    }
  }

  @Test("a set that names what is not there is refused with the place, the expected and the found")
  func refusals() throws {
    #expect(throws: RuleSetError.unknownRule(RuleID("dead_rely"))) {
      try Detector.check(RuleSet([RuleSettings(RuleID("dead_rely"))]))
    }
    let named = Self.settings { $0.thresholds = ["warning_shares": 0.5] }
    let unknown = RuleSetError.unknownThreshold(
      Self.dead,
      name: "warning_shares",
      expected: ["warning_share", "critical_share"]
    )
    #expect(throws: unknown) { try Detector.check(named) }
    #expect(
      unknown.description
        == "dead_relu.thresholds.warning_shares: expected warning_share, critical_share"
    )
    for value in [-0.1, 1.1, Double.infinity, -.infinity] {
      let rules = Self.settings { $0.thresholds = ["warning_share": value] }
      let error = RuleSetError.outOfRange(
        Self.dead,
        threshold: "warning_share",
        expected: 0...1,
        found: value
      )
      #expect(throws: error) { try Detector.check(rules) }
    }
    let notANumber = Self.settings { $0.thresholds = ["warning_share": .nan] }
    let refusal = #expect(throws: RuleSetError.self) { try Detector.check(notANumber) }
    #expect(
      refusal?.description == "dead_relu.thresholds.warning_share: expected 0 to 1, found NaN"
    )
    try Detector.check(RuleSet())
    try Detector.check(Self.settings { $0.thresholds = ["warning_share": 1, "critical_share": 0] })
  }

  @Test("switching a rule off resolves its open alert, and says why")
  func applyOff() throws {
    var watch = try watch(RuleSet(), steps: 10, shares: [0.95, 0.1, 0.1, 0.1])
    let open = watch.detector.openAlerts.count
    let rules = Self.settings { $0.isEnabled = false }
    let changes = watch.detector.apply(rules, at: Watch.time(20))
    #expect(changes.map(\.alert.rule) == [Self.dead])
    #expect(changes.map(\.alert.state) == [.resolved])
    #expect(changes.map(\.from) == [.firing])
    #expect(changes.first?.step == 9)
    #expect(changes.first?.at == Watch.time(20))
    #expect(changes.first?.alert.evidence.facts["resolution"] == "rule switched off")
    #expect(watch.detector.openAlerts.count == open - 1)
    #expect(watch.detector.rules == rules)
    #expect(watch.detector.apply(rules, at: Watch.time(21)).isEmpty)
  }

  @Test("other settings keep the baselines and the open alerts of all rules")
  func applyKeeps() throws {
    let net = try Net(depth: 4)
    var watch = try Watch(net.model)
    for step in 0..<40 {
      var report = net.report(UInt64(step))
      report.activations.deadUnitFraction = [0.95, 0.1, 0.1, 0.1]
      watch.feed(report)
    }
    let open = watch.detector.openAlerts
    var spike = RuleSettings(RuleID("loss_spike"))
    spike.thresholds = ["warning_ratio": 3]
    var dead = RuleSettings(Self.dead)
    dead.thresholds = ["critical_share": 0.99]
    #expect(watch.detector.apply(RuleSet([spike, dead]), at: Watch.time(40)).isEmpty)
    #expect(watch.detector.openAlerts == open)
    // A fresh rule would need 20 losses before it can tell.
    watch.feed(net.report(40, loss: 2.5))
    watch.feed(net.report(41, loss: 5))
    #expect(watch.life("loss_spike") == ["firing warning @41"])
  }

  @Test("a snapshot carries the rule set, and the restored detector goes on with it")
  func snapshot() throws {
    let net = try Net(depth: 4)
    var other = RuleSettings(RuleID("loss_spike"))
    other.isEnabled = false
    other.layers = ["dense_*", "é"]
    other.exceptLayers = ["head"]
    other.roles = [.bias, .head]
    other.severities = [.info: nil, .warning: .critical]
    let rules = Self.settings { $0.thresholds = ["warning_share": 0.5, "critical_share": 0.6] }
      .overlaid(by: RuleSet([other]))
    let live = Detector(
      run: try RunID("run"),
      producer: try ProducerID("rank-0"),
      model: net.model,
      rules: rules
    )
    var watch = try Watch(net.model)
    watch.detector = try Detector(
      run: RunID("run"),
      producer: ProducerID("rank-0"),
      model: net.model,
      restoring: live.snapshot()
    )
    #expect(watch.detector.rules == rules)
    for step in 0..<30 {
      var report = net.report(UInt64(step), loss: step == 25 ? 9 : 1)
      report.activations.deadUnitFraction = [0.55, 0.1, 0.1, 0.1]
      watch.feed(report)
    }
    #expect(watch.life("dead_relu").last == "firing warning @7")
    #expect(watch.life("loss_spike") == [])
  }
}
