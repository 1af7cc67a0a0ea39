import RunStore
import Telemetry
import Testing

extension RunStoreCompat {
  /// A plain report with annotations.
  private func annotated(_ sequence: UInt64, step: UInt64, _ texts: String...) -> StepReport {
    var report = Samples.plain(sequence, step: step)
    report.scalars.annotations = texts.map { StepAnnotation(action: $0) }
    return report
  }

  func annotationsAreListedNewestFirstInPages() throws {
    let store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    _ = try store.register(Samples.registration(producer: "p1"), at: Samples.time(1))
    _ = try store.register(Samples.registration(run: "other"), at: Samples.time(1))
    var full = Samples.plain(1, step: 4)
    full.scalars.annotations = Samples.annotations(2)
    _ = try store.commit([
      report(full), report(Samples.plain(2, step: 5)), report(annotated(3, step: 6, "b")),
      report(annotated(1, step: 6, "c"), producer: "p1"),
    ])
    let page = try store.annotations(AnnotationFilter(run: run), page: PageRequest(size: 3))
    #expect(page.items.map(\.annotation.action) == ["c", "b", "action_1"])
    #expect(page.items.map(\.producer.rawValue) == ["p1", "p0", "p0"])
    #expect(page.items.map(\.step) == [6, 6, 4])
    #expect(page.items[1].receivedAt == Samples.time(2e9 + 3.0 / 8))
    let rest = try store.annotations(
      AnnotationFilter(run: run),
      page: PageRequest(size: 3, after: page.next)
    )
    #expect(rest.items.map(\.annotation) == [Samples.annotations(1)[0]])
    #expect(rest.next == nil)
    #expect(
      try annotations(store, producer: producer, pageSize: 1).map(\.annotation.action)
        == ["b", "action_1", "action_0"]
    )
    #expect(try annotations(store, in: 5...6).map(\.annotation.action) == ["c", "b"])
    #expect(try annotations(store, in: 0...3).isEmpty)
    let other = AnnotationFilter(run: RunID(stored: "other"))
    #expect(try store.annotations(other, page: PageRequest(size: 9)).items.isEmpty)
    let unknown = RunID(stored: "unknown")
    #expect(throws: RunStoreError.unknownRun(unknown)) {
      try store.annotations(AnnotationFilter(run: unknown), page: PageRequest(size: 9))
    }
    let stranger = ProducerID(stored: "stranger")
    #expect(throws: RunStoreError.unknownProducer(run, stranger)) {
      try store.annotations(
        AnnotationFilter(run: run, producer: stranger),
        page: PageRequest(size: 9)
      )
    }
    try store.close()
  }

  func annotationsAreSealedAndRewoundWithTheirReports() throws {
    var store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    _ = try store.register(Samples.registration(producer: "p1"), at: Samples.time(1))
    _ = try store.commit([report(annotated(1, step: 0, "other"), producer: "p1")])
    var changes = (1...300 as ClosedRange<UInt64>).map { sequence in
      let isAnnotated = [1, 100, 200, 290].contains(sequence)
      let plain = Samples.plain(sequence, step: sequence - 1)
      return report(
        isAnnotated ? annotated(sequence, step: sequence - 1, "at \(sequence - 1)") : plain
      )
    }
    changes.append(.snapshot(run: run, producer: producer, sequence: 300, state: [1]))
    _ = try store.commit(changes)
    #expect(try sealAll(store) == 1)
    func actions() throws -> [String] {
      try annotations(store, producer: producer).map(\.annotation.action)
    }
    /// Those that stand in the scalars, of which the listing is a copy.
    func recorded() throws -> [String] {
      var found: [String] = []
      try store.readScalars(of: run, producer: producer, steps: 0...Step.maximum) {
        found += $0.annotations.map(\.action)
        return true
      }
      return found.reversed()
    }
    #expect(try actions() == ["at 289", "at 199", "at 99", "at 0"])
    #expect(try recorded() == actions())
    try store.close()
    store = try open()
    #expect(try actions() == ["at 289", "at 199", "at 99", "at 0"])
    // Into the segment, to the very step of one.
    _ = try store.commit([report(annotated(301, step: 199, "again"), rewinds: true)])
    #expect(try actions() == ["again", "at 99", "at 0"])
    #expect(try recorded() == actions())
    #expect(try annotations(store).last?.annotation.action == "other", "of another producer")
    _ = try store.commit([report(Samples.plain(302, step: 0), rewinds: true)])
    #expect(try actions().isEmpty)
    #expect(try recorded().isEmpty)
    try store.close()
  }
}
