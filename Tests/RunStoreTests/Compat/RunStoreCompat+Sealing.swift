import RunStore
import Telemetry
import TelemetryTesting
import Testing

extension RunStoreCompat {
  func sealingIsInvisibleToReaders(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    var reference = Reference()
    var sequence: UInt64 = 0
    var step: UInt64 = 0
    for _ in 0..<70 {
      var changes: [RunChange] = []
      for _ in 0..<10 {
        sequence += 1
        if Int.random(in: 0..<20, using: &random) == 0 {
          changes.append(.refusal(run: run, producer: producer, sequence: sequence))
          continue
        }
        step += UInt64.random(in: 1...3, using: &random)
        let next = Samples.random(sequence, step: step, using: &random)
        changes.append(report(next))
        reference.accept(next, receivedAt: Samples.time(0), rewinds: false)
      }
      _ = try store.commit(changes)
    }
    try expectSame(store, reference, "seed \(seed), before")
    #expect(try store.sealNext() == false, "nothing is covered")
    _ = try store.commit([.snapshot(run: run, producer: producer, sequence: sequence, state: [1])])
    for round in 1...2 {
      #expect(try store.sealNext())
      try expectSame(store, reference, "seed \(seed), after \(round)")
      let middle = reference.reports[256 * round].report.step
      try expectSame(store, reference, in: 0...middle, "seed \(seed), to \(middle)")
      try expectSame(store, reference, in: middle...middle, "seed \(seed), at \(middle)")
      try expectSame(store, reference, in: middle - 100...Step.maximum, "seed \(seed), from")
    }
    #expect(try store.sealNext() == false)
    #expect(try logged(store).count == reference.reports.count - 512)
    _ = try store.commit([
      .finish(run: run, status: .finished, reason: "", at: Samples.time(5))
    ])
    #expect(try sealAll(store) == 1)
    #expect(try logged(store).isEmpty)
    try expectSame(store, reference, "seed \(seed), all sealed")
    try store.close()
  }

  func onlyCoveredReportsAreSealed() throws {
    let store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    try commitPlain(1...255, step: 0, to: store)
    try commitPlain(256...600, step: 255, to: store, snapshot: false)
    #expect(try store.sealNext() == false)
    _ = try store.commit([
      .finish(run: run, status: .failed, reason: "", at: Samples.time(5))
    ])
    #expect(try sealAll(store) == 1)
    #expect(try logged(store).map(\.report.sequence) == Array(256...600))
    #expect(try steps(store) == Array(0..<600))
    // Registered again it runs again, and so few reports are not sealed any more.
    _ = try store.register(Samples.registration(), at: Samples.time(6))
    _ = try store.commit([
      report(Samples.plain(601, step: 600), snapshot: [2])
    ])
    #expect(try sealAll(store) == 1)
    #expect(try logged(store).map(\.report.sequence) == Array(512...601))
    #expect(try steps(store) == Array(0..<601))
    try store.close()
  }

  func whatASilentProducerLeftIsSealed() throws {
    let store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    try commitPlain(1...100, step: 0, to: store)
    let received = try #require(try store.run(run)?.producers.first?.lastReceivedAt)
    let later = WallTime(clamping: received.seconds + 1)
    #expect(try store.sealNext() == false)
    #expect(try store.sealNext(silentBefore: received) == false)
    // One that no snapshot covers must stay in the log, and so all do.
    try commitPlain(101...101, step: 100, to: store, snapshot: false)
    #expect(try store.sealNext(silentBefore: later) == false)
    _ = try store.commit([.snapshot(run: run, producer: producer, sequence: 101, state: [1])])
    #expect(try store.sealNext(silentBefore: later))
    #expect(try store.sealNext(silentBefore: later) == false)
    #expect(try logged(store).isEmpty)
    try commitPlain(102...110, step: 101, to: store)
    #expect(try steps(store) == Array(0..<110))
    try store.close()
  }

  func aRewindAnywhereDropsWhatIsAboveIt() throws {
    // Two segments of 256 steps, each step a multiple of 2, and 88 reports in the log.
    let positions: [UInt64] = [
      0, 1, 2, 255, 256, 508, 510, 511, 512, 513, 514, 1020, 1022, 1023, 1024, 1026, 1100, 1198,
      1199, 1200, 5000,
    ]
    for (index, position) in positions.enumerated() {
      let store = try open()
      let name = RunID(stored: "rewind \(index)")
      var reference = Reference()
      _ = try store.register(Samples.registration(run: name.rawValue), at: Samples.time(1))
      func commit(_ reports: [StepReport], rewinds: Bool, snapshot: [UInt8]?) throws {
        _ = try store.commit(
          reports.map { report in
            .report(
              RunChange.AcceptedReport(
                run: name,
                producer: producer,
                report: report,
                receivedAt: Samples.time(1),
                rewinds: rewinds && report.sequence == reports.first?.sequence,
                snapshot: report.sequence == reports.last?.sequence ? snapshot : nil
              )
            )
          }
        )
        for (index, report) in reports.enumerated() {
          reference.accept(
            report,
            receivedAt: Samples.time(1),
            rewinds: rewinds && index == 0
          )
        }
      }
      func expectSteps(_ comment: Comment) throws {
        var found: [UInt64] = []
        try store.readSeries(
          SeriesSelection(run: name, producer: producer, metric: .gradientNorm, index: 1)
        ) { slice in
          found += slice.steps
          return true
        }
        #expect(found == reference.reports.map(\.report.step), comment)
        var scalars: [ScalarBits] = []
        try store.readScalars(of: name, producer: producer, steps: 0...Step.maximum) {
          scalars.append(ScalarBits($0))
          return true
        }
        #expect(scalars == reference.scalars(0...Step.maximum).map(ScalarBits.init), comment)
      }
      try commit(
        (1...600).map { Samples.plain($0, step: ($0 - 1) * 2) },
        rewinds: false,
        snapshot: [1]
      )
      try sealAll(store)
      try expectSteps("before \(position)")
      // Another loss: what is read must be the new value of a step that is there twice.
      try commit(
        (601...700).map { Samples.plain($0, step: position + ($0 - 601) * 3, loss: -1) },
        rewinds: true,
        snapshot: nil
      )
      try expectSteps("after \(position)")
      _ = try store.commit([
        .finish(run: name, status: .finished, reason: "", at: Samples.time(5)),
        .snapshot(run: name, producer: producer, sequence: 700, state: [2]),
      ])
      try sealAll(store)
      try expectSteps("after \(position), all sealed")
      var log = 0
      try store.readLog(of: name, producer: producer, after: 0) { _ in log += 1 }
      #expect(log == 0)
      #expect(try store.run(name)?.lastStep == position + 297)
      try store.close()
    }
  }

  func aReportThatDoesNotAscendRewinds() throws {
    let store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    try commitPlain(1...10, step: 0, to: store)
    _ = try store.commit([report(Samples.plain(11, step: 4))])
    #expect(try steps(store) == [0, 1, 2, 3, 4])
    #expect(try logged(store).last?.rewinds == true)
    try store.close()
  }

  func aRandomHistoryReadsAsItsReference(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    var reference = Reference()
    for round in 0..<40 {
      var changes: [RunChange] = []
      for _ in 0..<Int.random(in: 1...60, using: &random) {
        let sequence = reference.lastSequence + 1
        if Int.random(in: 0..<30, using: &random) == 0 {
          changes.append(.refusal(run: run, producer: producer, sequence: sequence))
          reference.refuse()
          continue
        }
        let last = reference.lastStep ?? 0
        let rewinds = Int.random(in: 0..<60, using: &random) == 0
        let step =
          rewinds
          ? UInt64.random(in: last - min(last, 400)...last, using: &random)
          : last + UInt64.random(in: 1...2, using: &random)
        let next = Samples.random(sequence, step: step, using: &random)
        let snapshot: [UInt8]? = Int.random(in: 0..<25, using: &random) == 0 ? [7] : nil
        changes.append(report(next, rewinds: rewinds, snapshot: snapshot))
        reference.accept(
          next,
          receivedAt: Samples.time(2e9 + Double(sequence) / 8),
          rewinds: rewinds
        )
      }
      _ = try store.commit(changes)
      switch Int.random(in: 0..<6, using: &random) {
      case 0: _ = try store.sealNext()
      case 1: try sealAll(store)
      case 2:
        _ = try store.commit([
          .finish(run: run, status: .aborted, reason: "", at: Samples.time(3))
        ])
        try sealAll(store)
        _ = try store.register(Samples.registration(), at: Samples.time(1))
      case 3:
        try store.close()
        store = try open()
      case 4: _ = try store.reclaimNext()
      default: break
      }
      if round % 8 == 7 { try expectSame(store, reference, "seed \(seed), round \(round)") }
      // What a detector is rebuilt from: the log holds the newest reports without a hole.
      let log = try logged(store)
      let expected = reference.reports.suffix(log.count)
      #expect(
        log.map(\.report.sequence) == expected.map(\.report.sequence),
        "seed \(seed), round \(round)"
      )
      if round % 8 == 3 { #expect(log.map(exactly) == expected.map(exactly), "seed \(seed)") }
    }
    try store.close()
  }
}
