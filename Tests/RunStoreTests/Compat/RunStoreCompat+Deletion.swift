import RunStore
import Telemetry
import Testing

extension RunStoreCompat {
  /// Two runs of the same shape, sealed in part, with alerts, annotations, rules and a snapshot each.
  private func fillTwoRuns(_ store: any RunStore) throws {
    for name in ["r1", "other"] {
      _ = try store.register(Samples.registration(run: name), at: Samples.time(1))
      _ = try store.register(Samples.registration(run: name, producer: "p1"), at: Samples.time(1))
      _ = try store.setRules(
        RuleSet([RuleSettings(RuleID("loss_plateau"))]),
        of: .run(RunID(stored: name))
      )
      for producer in ["p0", "p1"] {
        _ = try store.commit(reports(1...600, of: name, producer))
      }
    }
    #expect(try sealAll(store) == 8)
  }

  private func reports(
    _ sequences: ClosedRange<UInt64>,
    of run: String,
    _ producer: String
  ) -> [RunChange] {
    var changes: [RunChange] = sequences.map { sequence in
      var report = Samples.plain(sequence, step: sequence - 1)
      if sequence % 100 == 0 { report.scalars.annotations = Samples.annotations(2) }
      return .report(
        RunChange.AcceptedReport(
          run: RunID(stored: run),
          producer: ProducerID(stored: producer),
          report: report,
          receivedAt: Samples.time(2e9 + Double(sequence)),
          transitions: sequence == 50
            ? [Samples.transition(Samples.alert(run: run, producer: producer))] : []
        )
      )
    }
    changes.append(
      .snapshot(
        run: RunID(stored: run),
        producer: ProducerID(stored: producer),
        sequence: sequences.upperBound,
        state: [1, 2]
      )
    )
    return changes
  }

  /// Everything that readers see of a run, sealed or not.
  private struct Everything: Equatable {
    var record: RunRecord?
    var model: Model?
    var reports: [[UInt8]] = []
    var snapshots: [DetectorSnapshot?] = []
    var alerts: [Alert] = []
    var annotations: [StoredAnnotation] = []
    var rules: StoredRules?
  }

  private func everything(_ store: any RunStore, of run: RunID) throws -> Everything {
    var seen = Everything()
    seen.record = try store.run(run)
    seen.model = try store.model(of: run)
    for producer in seen.record?.producers.map(\.producer.id) ?? [] {
      var step: UInt64 = 0
      while let page = Optional(try store.reports(of: run, producer: producer, from: step)),
        let last = page.last
      {
        seen.reports += try page.map { try bytes(of: canonical($0)) }
        step = last.report.step + 1
      }
      seen.snapshots.append(try store.snapshot(of: run, producer: producer))
    }
    let page = PageRequest(size: 1000)
    seen.alerts = try store.alerts(AlertFilter(run: run), page: page).items
    seen.annotations = try store.annotations(AnnotationFilter(run: run), page: page).items
    seen.rules = try store.rulesInForce(for: run)
    return seen
  }

  /// What a deleted run must look like to readers.
  private func expectGone(_ store: any RunStore, _ comment: Comment) throws {
    #expect(try store.run(run) == nil, comment)
    #expect(try store.model(of: run) == nil, comment)
    #expect(throws: RunStoreError.unknownRun(run), comment) { _ = try steps(store) }
    #expect(throws: RunStoreError.unknownRun(run), comment) { _ = try logged(store) }
    #expect(throws: RunStoreError.unknownRun(run), comment) {
      _ = try store.alerts(AlertFilter(run: run), page: PageRequest(size: 9))
    }
    let all = PageRequest(size: 1000)
    #expect(try store.runs(RunFilter(), page: all).items.allSatisfy { $0.run != run }, comment)
    #expect(
      try store.alerts(AlertFilter(), page: all).items.allSatisfy { $0.run != run },
      comment
    )
    #expect(
      try store.alerts(AlertFilter(project: "project"), page: all).items.allSatisfy {
        $0.run != run
      },
      comment
    )
    #expect(try store.alert(Samples.alert().id) == nil, comment)
    let transitions = try store.transitions(after: .start, limit: 1000, damaged: { _ in })
    #expect(transitions.allSatisfy { $0.transition.alert.run != run }, comment)
    #expect(try store.rules(of: .run(run)) == nil, comment)
    #expect(try store.footprints(of: "project").allSatisfy { $0.run != run }, comment)
    #expect(throws: RunStoreError.unknownRun(run), comment) {
      _ = try store.commit([.refusal(run: run, producer: producer, sequence: 601)])
    }
    #expect(throws: RunStoreError.unknownRun(run), comment) {
      _ = try store.commit([.transitions([Samples.transition(Samples.alert())])])
    }
  }

  func aDeletedRunIsGoneAtOnceAndOthersStay() throws {
    let store = try open()
    try fillTwoRuns(store)
    let other = RunID(stored: "other")
    let before = try everything(store, of: other)
    #expect(before.reports.count == 1200)
    #expect(throws: RunStoreError.unknownRun(RunID(stored: "nobody"))) {
      try store.deleteRun(RunID(stored: "nobody"), evenIfRunning: true)
    }
    #expect(try store.deleteRun(run, evenIfRunning: false) == false)
    #expect(try store.run(run)?.status == .running)
    #expect(try store.deleteRun(run, evenIfRunning: true))
    try expectGone(store, "at once")
    #expect(try everything(store, of: other) == before)
    #expect(try store.statistics().deletionsInProgress == 1)
    while try store.reclaimNext() {
      #expect(try store.run(other) != nil)
    }
    try expectGone(store, "at last")
    #expect(try everything(store, of: other) == before)
    #expect(try store.statistics().deletionsInProgress == 0)
    #expect(throws: RunStoreError.unknownRun(run)) {
      try store.deleteRun(run, evenIfRunning: true)
    }
    try store.close()
  }

  func aDeletionGoesOnAfterReopening() throws {
    var store = try open()
    try fillTwoRuns(store)
    let other = RunID(stored: "other")
    let before = try everything(store, of: other)
    #expect(try store.deleteRun(run, evenIfRunning: true))
    var slices = 0
    while true {
      try store.close()
      store = try open()
      try expectGone(store, "after \(slices) slices")
      guard try store.reclaimNext() else { break }
      slices += 1
    }
    #expect(slices > 4, "slices that are small enough for a test")
    #expect(try everything(store, of: other) == before)
    #expect(try store.statistics().deletionsInProgress == 0)
    try store.close()
  }

  func aDeletedRunIsRegisteredAnew() throws {
    let store = try open()
    try fillTwoRuns(store)
    // The newest one, whose keys are the highest.
    let other = RunID(stored: "other")
    let alert = Samples.alert(run: "other").id
    #expect(try store.alert(alert) != nil)
    #expect(try store.deleteRun(other, evenIfRunning: true))
    #expect(try store.reclaimNext())
    let again = try store.register(Samples.registration(run: "other"), at: Samples.time(7))
    #expect(again.producer.lastSequence == 0)
    #expect(again.run.producers.count == 1)
    #expect(again.run.createdAt == Samples.time(7))
    // The same alert of the same run is raised while the old one is still being removed.
    _ = try store.commit(reports(1...300, of: "other", "p0"))
    _ = try store.register(Samples.registration(run: "third"), at: Samples.time(8))
    _ = try store.commit(reports(1...300, of: "third", "p0"))
    let seen = try everything(store, of: other)
    let third = try everything(store, of: RunID(stored: "third"))
    #expect(try store.alert(alert)?.run == other)
    repeat { _ = try store.sealNext() } while try store.reclaimNext()
    #expect(try store.alert(alert)?.run == other)
    #expect(try everything(store, of: other) == seen)
    #expect(try everything(store, of: RunID(stored: "third")) == third)
    #expect(try store.alerts(AlertFilter(run: other), page: PageRequest(size: 9)).items.count == 1)
    try store.close()
  }

  func aRewoundFinishedRunIsDeleted() throws {
    let store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    try commitPlain(1...300, step: 0, to: store)
    try sealAll(store)
    _ = try store.commit([report(Samples.plain(301, step: 100), rewinds: true)])
    _ = try store.commit([
      .snapshot(run: run, producer: producer, sequence: 301, state: [1]),
      .finish(run: run, status: .finished, reason: "", at: Samples.time(9)),
    ])
    try sealAll(store)
    #expect(try store.deleteRun(run, evenIfRunning: false))
    while try store.reclaimNext() {}
    #expect(try store.run(run) == nil)
    #expect(try store.statistics().runs == 0)
    try store.close()
  }

  func retentionIsKeptByProject() throws {
    var store = try open()
    #expect(try store.retention() == RetentionSettings())
    let standard = Retention(maximumAge: 86_400.5, maximumRuns: 10, maximumBytes: 1 << 40)
    try store.setRetention(standard, of: nil)
    try store.setRetention(Retention(maximumRuns: 3), of: "a")
    try store.setRetention(Retention(maximumRuns: 4), of: "a")
    try store.setRetention(Retention(), of: "b")
    // Two spellings of one letter are two projects.
    let (accented, combining) = ("caf\u{e9}", "cafe\u{301}")
    try store.setRetention(Retention(maximumRuns: 1), of: accented)
    try store.setRetention(Retention(maximumRuns: 1_000), of: combining)
    try store.close()
    store = try open()
    var settings = try store.retention()
    #expect(settings.standard == standard)
    #expect(settings.entries.map(\.retention.maximumRuns) == [4, nil, 1_000, 1])
    #expect(settings.inForce(for: accented).maximumRuns == 1)
    #expect(settings.inForce(for: combining).maximumRuns == 1_000)
    #expect(settings.inForce(for: "a") == Retention(maximumRuns: 4))
    #expect(settings.inForce(for: "a").maximumAge == nil)
    #expect(settings.inForce(for: "b").keepsEverything)
    #expect(settings.inForce(for: "c") == standard)
    try store.setRetention(nil, of: "a")
    try store.setRetention(nil, of: nil)
    try store.setRetention(nil, of: "nobody")
    settings = try store.retention()
    #expect(settings.entries.map(\.project) == ["b", combining, accented])
    #expect(settings.standard == nil)
    try store.close()
  }

  func footprintsSayWhatRunsTake() throws {
    let store = try open()
    #expect(try store.projects() == [])
    try fillTwoRuns(store)
    _ = try store.register(
      Samples.registration(run: "small", project: "another"),
      at: Samples.time(3)
    )
    #expect(try store.projects() == ["another", "project"])
    let small = try #require(try store.footprints(of: "another").first)
    #expect(small.run.rawValue == "small")
    #expect(small.reports == 0)
    #expect(small.endedAt == nil)
    #expect(small.lastHeardAt == Samples.time(3))
    let large = try store.footprints(of: "project").sorted { $0.run < $1.run }
    #expect(large.map(\.run.rawValue) == ["other", "r1"])
    #expect(large.map(\.reports) == [1200, 1200])
    #expect(large.allSatisfy { $0.bytes > 1200 * 20 && $0.bytes < 1200 * 1000 })
    #expect(large[0].bytes == large[1].bytes, "of the same content")
    _ = try store.commit([
      .finish(run: run, status: .failed, reason: "", at: Samples.time(5))
    ])
    let ended = try store.footprints(of: "project").first { $0.run == run }
    #expect(ended?.endedAt == Samples.time(2e9 + 600), "the last report came after the end")
    #expect(ended?.lastHeardAt == Samples.time(2e9 + 600))
    try store.close()
  }

  func aCheckpointKeepsEverything() throws {
    let store = try open()
    try fillTwoRuns(store)
    let before = try everything(store, of: run)
    try store.checkpoint()
    #expect(try everything(store, of: run) == before)
    let statistics = try store.statistics()
    #expect(statistics.runs == 2)
    #expect(statistics.unsealedReports == 4 * 88)
    #expect(statistics.databaseBytes > 0)
    try store.close()
  }
}
