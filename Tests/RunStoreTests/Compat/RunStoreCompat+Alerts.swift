import RunStore
import Telemetry
import Testing

extension RunStoreCompat {
  func transitionsGetCursorsInOrderAndAlertsKeepTheirLastState() throws {
    let store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    _ = try store.register(Samples.registration(run: "r2", project: "other"), at: Samples.time(1))
    let pending = Samples.alert(state: .pending)
    var firing = pending
    firing.state = .firing
    firing.severity = .critical
    firing.evidence.observed = .infinity
    let second = Samples.alert(run: "r2", scope: .tensor(3))
    let third = Samples.alert(firstStep: 8, scope: .run)
    let transitions = [
      Samples.transition(pending), Samples.transition(second),
      Samples.transition(firing, from: .pending, step: 11), Samples.transition(third),
    ]
    let first = try store.commit([
      report(Samples.plain(1, step: 0), transitions: [transitions[0], transitions[1]]),
      .transitions([transitions[2]]),
    ])
    let last = try store.commit([.transitions([transitions[3]])])
    let cursors = first + last
    #expect(cursors.count == 4)
    #expect(cursors == cursors.sorted() && Set(cursors).count == 4)
    #expect(cursors[0] > .start)
    #expect(try store.lastCursor() == cursors[3])
    let expected = zip(cursors, transitions).map { cursor, transition in
      StoredTransition(
        cursor: cursor,
        project: transition.alert.run.rawValue == "r2" ? "other" : "project",
        transition: transition
      )
    }
    #expect(try store.transitions(after: .start, limit: 10, damaged: { _ in }) == expected)
    #expect(
      try store.transitions(after: .start, limit: 2, damaged: { _ in }) == Array(expected[..<2])
    )
    #expect(try store.transitions(after: cursors[1], limit: 1, damaged: { _ in }) == [expected[2]])
    #expect(try store.transitions(after: cursors[3], limit: 10, damaged: { _ in }) == [])
    #expect(try store.alert(pending.id) == firing)
    #expect(try store.alert(second.id) == second)
    try store.close()
  }

  func resolvedAlertsOfStepsThatAreGoneBackOverNeverHappened() throws {
    let store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    let alerts = [4, 5, 6].map { Samples.alert(state: .resolved, firstStep: $0) }
    let open = Samples.alert(state: .firing, firstStep: 7)
    _ = try store.commit([
      report(
        Samples.plain(1, step: 9),
        transitions: (alerts + [open]).map { Samples.transition($0) }
      )
    ])
    _ = try store.commit([report(Samples.plain(2, step: 5), rewinds: true)])
    let found = try (alerts + [open]).map { try #require(try store.alert($0.id)) }
    #expect(found.map(\.wasRewound) == [false, true, true, false])
    var expected = alerts[1]
    expected.evidence.facts["resolution"] = "rewound"
    #expect(found[1] == expected)
    try store.close()
  }

  func openAlertsAreCountedBySeverity() throws {
    let store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    _ = try store.register(Samples.registration(run: "r2"), at: Samples.time(1))
    var step: UInt64 = 0
    var alerts: [Alert] = []
    for state in AlertState.allCases {
      for severity in [Severity.warning, .critical, .critical] {
        step += 1
        alerts.append(Samples.alert(severity: severity, state: state, firstStep: step))
      }
    }
    alerts.append(Samples.alert(run: "r2", severity: .info))
    _ = try store.commit([.transitions(alerts.map { Samples.transition($0) })])
    // Firing and acknowledged are open; pending and resolved are not.
    #expect(try store.run(run)?.openAlerts == [.warning: 2, .critical: 4])
    #expect(try store.run(RunID("r2"))?.openAlerts == [.info: 1])
    for index in alerts.indices { alerts[index].state = .resolved }
    _ = try store.commit([.transitions(alerts.map { Samples.transition($0, from: .firing) })])
    #expect(try store.run(run)?.openAlerts == [:])
    try store.close()
  }

  func alertsAreListedNewestFirstByFilterInPages() throws {
    let store = try open()
    for index in 1...2 {
      _ = try store.register(
        Samples.registration(run: "r\(index)", project: "project\(index)"),
        at: Samples.time(1)
      )
    }
    var alerts: [Alert] = []
    for index in 0..<12 {
      alerts.append(
        Samples.alert(
          run: "r\(index % 2 + 1)",
          rule: ["a", "b", "c"][index % 3],
          severity: Severity.allCases[index / 4],
          state: AlertState.allCases[index % 4],
          firstStep: UInt64(index)
        )
      )
    }
    for alert in alerts { _ = try store.commit([.transitions([Samples.transition(alert)])]) }
    // A later transition makes an alert no newer.
    _ = try store.commit([.transitions([Samples.transition(alerts[0], from: .pending)])])
    func list(_ filter: AlertFilter, size: Int = 3) throws -> [UInt64] {
      var steps: [UInt64] = []
      var request = PageRequest(size: size)
      repeat {
        let page = try store.alerts(filter, page: request)
        #expect(page.items.count == size || page.next == nil)
        steps += page.items.map(\.firstStep)
        request.after = page.next
      } while request.after != nil
      return steps
    }
    #expect(try list(AlertFilter()) == Array((0..<12).reversed()))
    #expect(try list(AlertFilter(run: RunID("r2"))) == [11, 9, 7, 5, 3, 1])
    #expect(try list(AlertFilter(project: "project1")) == [10, 8, 6, 4, 2, 0])
    #expect(try list(AlertFilter(rules: [RuleID("a")])) == [9, 6, 3, 0])
    #expect(
      try list(AlertFilter(rules: [RuleID("a"), RuleID("c")], minimumSeverity: .critical)) == [
        11, 9, 8,
      ]
    )
    #expect(try list(AlertFilter(minimumSeverity: .warning)) == Array((4..<12).reversed()))
    #expect(try list(AlertFilter(states: [.firing, .resolved])) == [11, 9, 7, 5, 3, 1])
    #expect(
      try list(AlertFilter(run: RunID("r1"), states: [.acknowledged]), size: 2) == [10, 6, 2]
    )
    #expect(try list(AlertFilter(project: "none")) == [])
    let page = try store.alerts(AlertFilter(), page: PageRequest(size: 1))
    #expect(page.items == [alerts[11]])
    try store.close()
  }
}
