import RunStore
import Telemetry
import TelemetryTesting
import Testing

extension RunStoreCompat {
  func reportsAreReadBackBitForBit(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    var reference = Reference()
    for sequence in UInt64(1)...20 {
      let next = Samples.random(sequence, step: sequence * 3, using: &random)
      _ = try store.commit([report(next)])
      reference.accept(
        next,
        receivedAt: Samples.time(2e9 + Double(sequence) / 8),
        rewinds: false
      )
    }
    #expect(
      try logged(store).map(exactly) == reference.reports.map(exactly),
      "seed \(seed)"
    )
    #expect(
      try logged(store, after: 17).map(\.report.sequence) == [18, 19, 20],
      "seed \(seed)"
    )
    try expectSame(store, reference, "seed \(seed)")
    try expectSame(store, reference, in: 9...30, "seed \(seed), some steps")
    try store.close()
  }

  func refusalsAdvanceTheSequence() throws {
    let store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    _ = try store.commit([
      .refusal(run: run, producer: producer, sequence: 1), report(Samples.plain(2, step: 0)),
      .refusal(run: run, producer: producer, sequence: 3),
    ])
    _ = try store.commit([.refusal(run: run, producer: producer, sequence: 4)])
    let record = try #require(try store.run(run)?.producers.first)
    #expect(record.lastSequence == 4)
    #expect(record.lastStep == 0)
    #expect(record.lastReceivedAt == Samples.time(2e9 + 2.0 / 8))
    #expect(try logged(store).map(\.report.sequence) == [2])
    try store.close()
  }

  func aSequenceConflictRollsBackTheWholeGroup() throws {
    let store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    _ = try store.register(Samples.registration(producer: "p1"), at: Samples.time(1))
    try commitPlain(1...2, step: 0, to: store)
    let before = try #require(try store.run(run))
    let alert = Samples.transition(Samples.alert())
    for (sequence, isRefusal) in [(UInt64(4), false), (2, false), (0, false), (5, true)] {
      let wrong =
        isRefusal
        ? RunChange.refusal(run: run, producer: producer, sequence: sequence)
        : report(Samples.plain(sequence, step: 9))
      #expect(
        throws: RunStoreError.sequenceConflict(
          run: run,
          producer: producer,
          expected: 3,
          found: sequence
        )
      ) {
        try store.commit([
          report(Samples.plain(1, step: 0), producer: "p1", transitions: [alert]),
          .finish(run: run, status: .finished, reason: "", at: Samples.time(3)),
          .snapshot(run: run, producer: producer, sequence: 2, state: [9]), wrong,
        ])
      }
    }
    #expect(try store.run(run) == before)
    #expect(try logged(store, producer: "p1").isEmpty)
    #expect(try store.lastCursor() == .start)
    #expect(try store.alert(alert.alert.id) == nil)
    #expect(
      try store.snapshot(of: run, producer: producer) == DetectorSnapshot(sequence: 2, state: [1])
    )
    try commitPlain(3...3, step: 2, to: store)
    try store.close()
  }

  func snapshotsCoverTheReportsBeforeThem() throws {
    let store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    #expect(try store.snapshot(of: run, producer: producer) == nil)
    _ = try store.commit([
      report(Samples.plain(1, step: 0), snapshot: [1, 2]), report(Samples.plain(2, step: 1)),
    ])
    #expect(
      try store.snapshot(of: run, producer: producer)
        == DetectorSnapshot(sequence: 1, state: [1, 2])
    )
    #expect(try logged(store, after: 1).map(\.report.sequence) == [2])
    _ = try store.commit([
      report(Samples.plain(3, step: 2)),
      .snapshot(run: run, producer: producer, sequence: 3, state: []),
      report(Samples.plain(4, step: 3)),
    ])
    #expect(
      try store.snapshot(of: run, producer: producer) == DetectorSnapshot(sequence: 3, state: [])
    )
    _ = try store.commit([
      report(Samples.plain(5, step: 4), snapshot: [5]),
      report(Samples.plain(6, step: 5), snapshot: [6]),
      .refusal(run: run, producer: producer, sequence: 7),
      .snapshot(run: run, producer: producer, sequence: 7, state: [7]),
    ])
    #expect(
      try store.snapshot(of: run, producer: producer) == DetectorSnapshot(sequence: 7, state: [7])
    )
    // Report 8 was lost; what a detector said that had seen it must not be kept.
    let late = Samples.transition(Samples.alert())
    #expect(
      throws: RunStoreError.sequenceConflict(run: run, producer: producer, expected: 7, found: 8)
    ) {
      try store.commit([
        .transitions([late]), .snapshot(run: run, producer: producer, sequence: 8, state: [8]),
      ])
    }
    #expect(try store.lastCursor() == .start)
    #expect(
      try store.snapshot(of: run, producer: producer) == DetectorSnapshot(sequence: 7, state: [7])
    )
    try store.close()
  }

  func producersAreKeptApart() throws {
    var random = SeededGenerator(seed: 5)
    let store = try open()
    var references = [Reference(), Reference(), Reference()]
    for index in references.indices {
      _ = try store.register(Samples.registration(producer: "p\(index)"), at: Samples.time(1))
    }
    for sequence in UInt64(1)...300 {
      var changes: [RunChange] = []
      for index in references.indices {
        let next = Samples.random(
          sequence,
          step: sequence * UInt64(index + 1),
          using: &random
        )
        changes.append(
          report(next, producer: "p\(index)", snapshot: index == 1 ? [1] : nil)
        )
        references[index].accept(next, receivedAt: Samples.time(0), rewinds: false)
      }
      _ = try store.commit(changes)
    }
    #expect(try sealAll(store) == 1)
    for index in references.indices {
      try expectSame(store, references[index], producer: "p\(index)", "producer \(index)")
    }
    #expect(try logged(store, producer: "p0").count == 300)
    #expect(try logged(store, producer: "p1").count == 44)
    try store.close()
  }

  func aBodyThatReturnsFalseEndsTheReading() throws {
    let store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    try commitPlain(1...600, step: 0, to: store)
    try sealAll(store)
    for stop in [1, 2, 3] {
      var slices = 0
      try store.readSeries(
        SeriesSelection(run: run, producer: producer, metric: .gradientNorm, index: 0)
      ) { _ in
        slices += 1
        return slices < stop
      }
      #expect(slices == stop)
    }
    for stop in [1, 256, 257, 512, 513, 600] {
      var scalars = 0
      try store.readScalars(of: run, producer: producer, steps: 0...Step.maximum) { _ in
        scalars += 1
        return scalars < stop
      }
      #expect(scalars == stop)
    }
    try store.close()
  }

  func whatWasCommittedIsFoundAfterReopening() throws {
    var random = SeededGenerator(seed: 11)
    var reference = Reference()
    var store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    for sequence in UInt64(1)...300 {
      let next = Samples.random(sequence, step: sequence, using: &random)
      _ = try store.commit([report(next, snapshot: sequence == 270 ? [2, 7, 0] : nil)])
      reference.accept(next, receivedAt: Samples.time(0), rewinds: false)
    }
    _ = try store.commit([.transitions([Samples.transition(Samples.alert())])])
    #expect(try sealAll(store) == 1)
    let record = try store.run(run)
    let log = try logged(store).map(exactly)
    try store.close()
    try store.close()

    store = try open()
    #expect(try store.run(run) == record)
    #expect(try store.model(of: run) == Samples.model())
    #expect(try logged(store).map(exactly) == log)
    #expect(try logged(store).first?.report.sequence == 257)
    #expect(
      try store.snapshot(of: run, producer: producer)
        == DetectorSnapshot(sequence: 270, state: [2, 7, 0])
    )
    #expect(try store.lastCursor() == AlertCursor(1))
    #expect(try store.alert(Samples.alert().id) == Samples.alert())
    try expectSame(store, reference, "reopened")
    try commitPlain(301...301, step: 301, to: store)
    try store.close()
  }
}
