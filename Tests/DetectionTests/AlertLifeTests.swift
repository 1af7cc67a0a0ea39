import Detection
import Telemetry
import Testing

/// The life of an alert, driven by losses: NaN is a hit, and 50 finite ones are clean.
@Suite("an alert's life")
struct AlertLifeTests {
  private static let rule = "non_finite_loss"

  /// Feeds reports whose loss is NaN at `bad` steps.
  private func watch(_ steps: Range<UInt64>, bad: Set<UInt64>) throws -> (Watch, Net) {
    let net = try Net(depth: 2)
    var watch = try Watch(net.model)
    for step in steps { watch.feed(net.report(step, loss: bad.contains(step) ? .nan : 1)) }
    return (watch, net)
  }

  @Test("a condition without debounce fires in one transition, from nothing")
  func firesAtOnce() throws {
    let (watch, _) = try watch(0..<3, bad: [2])
    #expect(watch.log.count == 1)
    #expect(watch.log[0].from == nil)
    #expect(watch.log[0].alert.state == .firing)
    #expect(watch.log[0].step == 2)
    #expect(watch.log[0].at == Watch.time(2))
    #expect(watch.log[0].alert.startedAt == Watch.time(2))
    #expect(watch.log[0].alert.firedAt == Watch.time(2))
  }

  @Test("a pending alert that passes is resolved without having fired")
  func pendingPasses() throws {
    let net = try Net(depth: 12)
    var watch = try Watch(net.model)
    for step in 0..<40 {
      watch.feed(net.report(UInt64(step)) { (10..<16).contains(step) ? power(0.24, 11 - $0) : 0.1 })
    }
    let changes = watch.log.filter { $0.alert.rule == RuleID("vanishing_gradient") }
    #expect(changes.map(\.alert.state) == [.pending, .resolved])
    #expect(changes.map(\.from) == [nil, .pending])
    #expect(changes.last?.alert.firedStep == nil)
    #expect(watch.detector.openAlerts.isEmpty)
  }

  @Test("a firing alert can be acknowledged once, and resolves from there")
  func acknowledgement() throws {
    var (watch, net) = try watch(0..<1, bad: [0])
    let id = try #require(watch.open(Self.rule)?.id)
    let acknowledged = watch.detector.acknowledge(id, by: "ada", at: WallTime(clamping: 5))
    let change = try #require(acknowledged)
    #expect(change.from == .firing)
    #expect(change.alert.state == .acknowledged)
    #expect(change.alert.acknowledgedBy == "ada")
    #expect(change.alert.acknowledgedAt == WallTime(clamping: 5))
    #expect(watch.detector.acknowledge(id, by: "bob", at: WallTime(clamping: 6)) == nil)
    #expect(watch.detector.acknowledge(AlertID("0"), by: "ada", at: WallTime(clamping: 6)) == nil)
    for step in 1...50 { watch.feed(net.report(UInt64(step))) }
    let last = try #require(watch.log.last)
    #expect(last.from == .acknowledged)
    #expect(last.alert.state == .resolved)
    #expect(last.alert.acknowledgedBy == "ada")
    #expect(last.alert.resolvedStep == 50)
  }

  @Test("severity rises within an episode in one transition from its own state, and never falls")
  func escalation() throws {
    let net = try Net(depth: 2)
    var watch = try Watch(net.model)
    for step in 0..<10 {
      var report = net.report(UInt64(step), loss: step < 6 ? .nan : 1)
      report.scalars.optimizerSkipped = step != 3
      watch.feed(report)
    }
    #expect(watch.life(Self.rule) == ["firing info @0", "firing critical @3"])
    #expect(watch.log.filter { $0.alert.rule == RuleID(Self.rule) }.map(\.from) == [nil, .firing])
    #expect(watch.open(Self.rule)?.severity == .critical)
  }

  @Test("an alert that returns within 500 steps is the same one, and nobody has acknowledged it")
  func reopening() throws {
    var (watch, net) = try watch(0..<1, bad: [0])
    let id = try #require(watch.open(Self.rule)?.id)
    _ = watch.detector.acknowledge(id, by: "ada", at: WallTime(clamping: 5))
    for step in 1..<100 { watch.feed(net.report(UInt64(step))) }
    watch.feed(net.report(100, loss: .nan))
    let last = try #require(watch.log.last)
    #expect(last.from == .resolved)
    #expect(last.alert.id == id)
    #expect(last.alert.state == .firing)
    #expect(last.alert.reopenedCount == 1)
    #expect(last.alert.resolvedStep == nil)
    #expect(last.alert.acknowledgedBy == "")
    #expect(last.alert.firstStep == 0)
    #expect(last.alert.firedStep == 100)
  }

  @Test("an alert that returns later is another one")
  func notReopened() throws {
    let (watch, _) = try watch(0..<700, bad: [0, 600])
    #expect(watch.life(Self.rule).count == 4)
    #expect(Set(watch.log.filter { $0.alert.rule == RuleID(Self.rule) }.map(\.alert.id)).count == 2)
  }

  @Test("an alert that returned four times within 500 steps is held open for 500 steps")
  func flapping() throws {
    let bad = Set((0...4).map { UInt64($0) * 60 })
    let (watch, _) = try watch(0..<800, bad: bad)
    #expect(
      watch.life(Self.rule) == [
        "firing critical @0", "resolved critical @50", "firing critical @60",
        "resolved critical @110", "firing critical @120", "resolved critical @170",
        "firing critical @180", "resolved critical @230", "firing critical @240",
        "resolved critical @740",
      ]
    )
  }

  @Test("a milder return of a resolved alert is an alert of its own")
  func milderReturn() throws {
    let net = try Net(depth: 2)
    var watch = try Watch(net.model)
    for step in 0..<80 {
      var report = net.report(UInt64(step), loss: step == 0 || step == 70 ? .nan : 1)
      report.scalars.optimizerSkipped = step == 70
      watch.feed(report)
    }
    #expect(
      watch.life(Self.rule) == ["firing critical @0", "resolved critical @50", "firing info @70"]
    )
    #expect(Set(watch.log.map(\.alert.id)).count == 2)
  }

  @Test("going back resolves what began later, and keeps what began before")
  func rewind() throws {
    var (watch, net) = try watch(0..<30, bad: [5])
    watch.feed(net.report(30) { $0 == 1 ? .nan : 0.1 })
    #expect(watch.detector.openAlerts.count == 2)
    let changes = watch.detector.rewind(to: 20, at: Watch.time(31))
    #expect(changes.map(\.alert.rule) == [RuleID("non_finite_gradient")])
    #expect(changes[0].alert.state == .resolved)
    #expect(changes[0].alert.evidence.facts["resolution"] == "rewound")
    #expect(changes[0].step == 20)
    #expect(watch.open(Self.rule)?.firstStep == 5)
  }

  @Test("the same fault after going back is the same alert again")
  func rewindAndRepeat() throws {
    let net = try Net(depth: 2)
    var watch = try Watch(net.model)
    for step in 0..<12 { watch.feed(net.report(UInt64(step), loss: step == 10 ? .nan : 1)) }
    let id = try #require(watch.open(Self.rule)?.id)
    watch.note(watch.detector.rewind(to: 8, at: Watch.time(12)))
    for step in 8..<11 { watch.feed(net.report(UInt64(step), loss: step == 10 ? .nan : 1)) }
    #expect(
      watch.life(Self.rule) == [
        "firing critical @10", "resolved critical @8", "firing critical @10",
      ]
    )
    #expect(watch.log.last?.from == .resolved)
    #expect(watch.log.last?.alert.id == id)
    #expect(watch.log.last?.alert.reopenedCount == 1)
    #expect(watch.detector.openAlerts.count == 1)
  }

  @Test("going back arms the baselines anew: what was a spike is not one without them")
  func rewindArms() throws {
    for isRewound in [false, true] {
      let net = try Net(depth: 2)
      var watch = try Watch(net.model)
      for step in 0..<60 { watch.feed(net.report(UInt64(step))) }
      if isRewound { watch.note(watch.detector.rewind(to: 60, at: Watch.time(60))) }
      watch.feed(net.report(60) { _ in 3 })
      #expect(watch.life("gradient_spike").isEmpty == isRewound)
    }
  }

  @Test(
    "the store's copies replace the detector's own: acknowledged, resolved, unknown and gone ones"
  )
  func adoption() throws {
    let (first, net) = try watch(0..<1, bad: [0])
    var stored = try #require(first.open(Self.rule))
    stored.state = .acknowledged
    stored.acknowledgedBy = "ada"
    var (watch, _) = try self.watch(0..<1, bad: [0])
    watch.detector.adopt([stored])
    #expect(watch.detector.openAlerts.map(\.state) == [.acknowledged])
    #expect(watch.detector.openAlerts.map(\.acknowledgedBy) == ["ada"])
    // It lives on from there.
    for step in 1...50 { watch.feed(net.report(UInt64(step))) }
    #expect(watch.log.last?.from == .acknowledged)

    // A fresh detector takes over what it never saw, another producer's alert not.
    var fresh = try Watch(net.model)
    var foreign = stored
    foreign.producer = try ProducerID("rank-1")
    fresh.detector.adopt([stored, foreign])
    #expect(fresh.detector.openAlerts.map(\.id) == [stored.id])
    #expect(fresh.detector.openAlerts.map(\.producer) == [stored.producer])

    // What the store does not know is gone.
    fresh.detector.adopt([])
    #expect(fresh.detector.openAlerts.isEmpty)
  }
}
