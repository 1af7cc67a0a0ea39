import Dispatch
import RunStore
import Synchronization
import Telemetry
import TelemetryTesting
import Testing

@Suite("SQLite: full disks and concurrent use")
struct SQLiteRunStoreFaultTests: Sendable {
  private let folder: TemporaryFolder
  private let store: SQLiteRunStore
  private let compat: RunStoreCompat
  private let run = RunID(stored: "r1")

  init() throws {
    let folder = try TemporaryFolder()
    self.folder = folder
    let store = try SQLiteRunStore(path: folder.file())
    self.store = store
    compat = RunStoreCompat { store }
    _ = try store.register(Samples.registration(), at: Samples.time(1))
  }

  /// Lets the file grow by some pages and no further.
  private func limit(pages: Int) throws {
    let count = try #require(try store.queryOnWriter("PRAGMA page_count").first.flatMap { Int($0) })
    try store.executeOnWriter("PRAGMA max_page_count = \(count + pages)")
  }

  private func expectUnavailable(
    _ operation: String,
    _ expected: String,
    _ body: () throws -> Void
  ) {
    let error = #expect(throws: RunStoreError.self, performing: body)
    guard case .unavailable(let found, let detail) = error else {
      Issue.record("expected unavailable, found \(String(describing: error))")
      return
    }
    #expect(found == operation)
    #expect(detail == expected)
  }

  /// Reports of about 80 KB each.
  private func large(_ sequences: ClosedRange<UInt64>) -> [RunChange] {
    sequences.map { sequence in
      var report = Samples.plain(sequence, step: sequence)
      report.gradients.norm = (0..<20_000).map { Float($0) + Float(sequence) }
      return compat.report(report)
    }
  }

  @Test("a commit for which the disk has no room is not made, and a later one is")
  func commit() throws {
    _ = try store.commit(large(1...2))
    let before = try store.run(run)
    try limit(pages: 8)
    expectUnavailable("commit 6 changes", "database or disk is full (SQLite 13)") {
      _ = try store.commit(
        large(3...7) + [
          .transitions([Samples.transition(Samples.alert())])
        ]
      )
    }
    #expect(try store.run(run) == before)
    #expect(try compat.logged(store).count == 2)
    #expect(try store.lastCursor() == .start)
    _ = try store.commit([.refusal(run: run, producer: compat.producer, sequence: 3)])
    try limit(pages: 1000)
    _ = try store.commit(large(4...7))
    #expect(try compat.steps(store) == [1, 2, 4, 5, 6, 7])
    try store.close()
  }

  @Test("sealing that fails halfway leaves the log as it was, and is done later")
  func sealing() throws {
    try compat.commitPlain(1...300, step: 0, to: store)
    let log = try compat.logged(store).map(exactly)
    // The chunks come after the log's rows were removed and the segment was made.
    try store.executeOnWriter(
      "CREATE TRIGGER fault BEFORE INSERT ON chunks BEGIN SELECT RAISE(ABORT, 'fault'); END"
    )
    expectUnavailable("seal run r1, producer p0", "fault (SQLite 1811)") {
      _ = try store.sealNext()
    }
    #expect(try compat.logged(store).map(exactly) == log)
    try store.executeOnWriter("DROP TRIGGER fault")
    #expect(try compat.sealAll(store) == 1)
    #expect(try compat.steps(store) == Array(0..<300))
    try store.close()
  }

  @Test("a segment is no longer than the bytes that sealing may take")
  func segmentBytes() throws {
    try store.close()
    var options = SQLiteRunStore.Options()
    options.maximumSegmentBytes = 1000
    let store = try SQLiteRunStore(path: folder.file(), options: options)
    var random = SeededGenerator(seed: 3)
    var reference = Reference()
    for sequence in UInt64(1)...256 {
      let report = Samples.random(sequence, step: sequence, using: &random)
      _ = try store.commit([compat.report(report, snapshot: [1])])
      reference.accept(report, receivedAt: Samples.time(0), rewinds: false)
    }
    #expect(try store.sealNext())
    let sealed = 256 - (try compat.logged(store).count)
    #expect(sealed > 1 && sealed < 20)
    try compat.expectSame(store, reference, "short segment")
    _ = try store.commit([
      .finish(run: run, status: .finished, reason: "", at: Samples.time(3))
    ])
    #expect(try compat.sealAll(store) > 10)
    try compat.expectSame(store, reference, "short segments")
    try store.close()
  }

  @Test("readers see every step once while commits and sealing go on")
  func readers() throws {
    let last: UInt64 = 1500
    let isDone = Atomic(false)
    let failures = Mutex<[String]>([])
    @Sendable func note(_ body: () throws -> Void) {
      do { try body() } catch { failures.withLock { $0.append("\(error)") } }
    }
    DispatchQueue.concurrentPerform(iterations: 3) { role in
      switch role {
      case 0:
        note {
          for first in stride(from: 1, through: last, by: 10) {
            try compat.commitPlain(first...first + 9, step: first - 1, to: store)
          }
        }
        isDone.store(true, ordering: .sequentiallyConsistent)
      case 1:
        note {
          while !isDone.load(ordering: .sequentiallyConsistent) { _ = try store.sealNext() }
        }
      default:
        note {
          var seen = 0
          while !isDone.load(ordering: .sequentiallyConsistent) {
            let steps = try compat.steps(store)
            if steps != Array(0..<UInt64(steps.count)) || steps.count < seen {
              failures.withLock { $0.append("\(seen) steps, then \(steps)") }
            }
            seen = steps.count
          }
        }
      }
    }
    #expect(failures.withLock { $0 } == [])
    #expect(try compat.steps(store) == Array(0..<last))
    try store.close()
  }

  @Test(
    "a producer that goes back while its reports are sealed ends as if they were not sealed",
    arguments: [0, 100, 255, 256, 299] as [UInt64]
  )
  func rewinds(to step: UInt64) throws {
    let first = (0..<300).map { Samples.plain(1 + $0, step: $0) }
    let second = (0..<10).map { Samples.plain(301 + $0, step: step + $0, loss: -1) }
    var reference = Reference()
    for (index, report) in (first + second).enumerated() {
      reference.accept(report, receivedAt: Samples.time(0), rewinds: index == 300)
    }
    _ = try store.commit(
      first.map { compat.report($0) } + [
        .snapshot(run: run, producer: compat.producer, sequence: 300, state: [1])
      ]
    )
    let group = second.enumerated().map { compat.report($1, rewinds: $0 == 0) }
    let commits = Atomic(0)
    store.sealingProbe.withLock { probe in
      probe = { [store] in
        guard commits.add(1, ordering: .relaxed).oldValue == 0 else { return }
        #expect(throws: Never.self) { try store.commit(group) }
      }
    }
    #expect(try store.sealNext())
    #expect(commits.load(ordering: .relaxed) == 1)
    try compat.expectSame(store, reference, "after the rewind")
    try expectNoChunksWithoutSegment()
    // Of what was read to be sealed, nothing was dropped, or all is still in the log.
    #expect(try compat.logged(store).count == (step < 256 ? Int(step) + 10 : Int(step) + 10 - 256))
    try compat.sealAll(store)
    try compat.expectSame(store, reference, "after all")
    try store.close()
  }

  /// A store of its own that makes a segment visible row by row, and what it was given: 300 reports, covered.
  private func rowByRow() throws -> (SQLiteRunStore, Reference) {
    try store.close()
    var options = SQLiteRunStore.Options()
    options.sealingSliceBytes = 1
    let store = try SQLiteRunStore(path: folder.file(), options: options)
    let reports = (0..<300).map { Samples.plain(1 + $0, step: $0) }
    var reference = Reference()
    for report in reports {
      reference.accept(report, receivedAt: Samples.time(0), rewinds: false)
    }
    _ = try store.commit(
      reports.map { compat.report($0) } + [
        .snapshot(run: run, producer: compat.producer, sequence: 300, state: [1])
      ]
    )
    return (store, reference)
  }

  @Test(
    "a producer that goes back while its segment becomes visible row by row ends as if it was not sealed",
    arguments: [
      (2, 0), (2, 200), (100, 50), (100, 98), (100, 99), (100, 200), (256, 254), (256, 299),
    ]
      as [(Int, UInt64)]
  )
  func rewindsBetweenRows(turn: Int, step: UInt64) throws {
    var (store, reference) = try rowByRow()
    let second = (0..<10).map { Samples.plain(301 + $0, step: step + $0, loss: -1) }
    for report in second {
      reference.accept(report, receivedAt: Samples.time(0), rewinds: report.sequence == 301)
    }
    let group = second.map { compat.report($0, rewinds: $0.sequence == 301) }
    let turns = Atomic(0)
    store.sealingProbe.withLock { [store] probe in
      probe = {
        guard turns.add(1, ordering: .relaxed).newValue == turn else { return }
        #expect(throws: Never.self) { try store.commit(group) }
      }
    }
    #expect(try store.sealNext())
    // The rows before that turn are visible, those after it only if none of the log was dropped before them.
    #expect(turns.load(ordering: .relaxed) >= turn)
    store.sealingProbe.withLock { $0 = nil }
    try compat.expectSame(store, reference, "after the rewind")
    _ = try store.commit([
      .finish(run: run, status: .finished, reason: "", at: Samples.time(3))
    ])
    try compat.sealAll(store)
    // No snapshot covers the last ten.
    #expect(try compat.logged(store).count == 10)
    try compat.expectSame(store, reference, "after all")
    try store.close()
    #expect(try SQLiteRunStore.verify(path: folder.file()) { _ in }.isSound)
  }

  @Test(
    "sealing that fails between two rows goes on where it was",
    arguments: [2, 100, 256]
  )
  func failureBetweenRows(turn: Int) throws {
    let (store, reference) = try rowByRow()
    let turns = Atomic(0)
    store.sealingProbe.withLock { [store] probe in
      probe = {
        guard turns.add(1, ordering: .relaxed).newValue == turn else { return }
        #expect(throws: Never.self) {
          try store.executeOnWriter(
            "CREATE TRIGGER fault BEFORE DELETE ON log BEGIN SELECT raise(ABORT, 'fault'); END"
          )
        }
      }
    }
    #expect(throws: RunStoreError.self) { try store.sealNext() }
    store.sealingProbe.withLock { $0 = nil }
    try compat.expectSame(store, reference, "after the fault")
    #expect(try compat.logged(store).count == 301 - turn)
    try store.executeOnWriter("DROP TRIGGER fault")
    _ = try store.commit([
      .finish(run: run, status: .finished, reason: "", at: Samples.time(3))
    ])
    try compat.sealAll(store)
    #expect(try compat.logged(store).isEmpty)
    try compat.expectSame(store, reference, "after all")
    try store.close()
  }

  @Test("what a crash left of a segment goes when the next one takes its number")
  func unfinishedSegment() throws {
    for (table, key) in [
      ("chunks", 262_144), ("chunks", 262_144 + 131_071), ("histograms", 262_144),
    ] {
      try store.executeOnWriter("INSERT INTO \(table)(key, body) VALUES (\(key), x'00')")
    }
    try compat.commitPlain(1...256, step: 0, to: store)
    #expect(try store.sealNext())
    let left = "SELECT count(*) FROM chunks WHERE body = x'00'"
    #expect(try store.queryOnWriter(left) == ["0"])
    #expect(try store.queryOnWriter("SELECT count(*) FROM histograms") == ["0"])
    try expectNoChunksWithoutSegment()
    try store.close()
  }

  private func expectNoChunksWithoutSegment() throws {
    let sql = "SELECT count(*) FROM chunks WHERE key / 262144 NOT IN (SELECT id FROM segments)"
    #expect(try store.queryOnWriter(sql) == ["0"])
  }

  @Test("the write-ahead log stays short while commits go on")
  func longLog() throws {
    var options = SQLiteRunStore.Options()
    options.checkpointPages = 16
    let small = try SQLiteRunStore(path: folder.file("small.sqlite"), options: options)
    _ = try small.register(Samples.registration(), at: Samples.time(1))
    var longest: UInt64 = 0
    for sequence in 1...200 as ClosedRange<UInt64> {
      _ = try small.commit(large(sequence...sequence))
      longest = max(longest, try small.statistics().writeAheadLogBytes)
    }
    // 8 times the pages that make it long, and those of the commit that makes it so.
    #expect(longest <= (8 * 16 + 12) * (16_384 + 24) + 32)
    try small.close()
  }

  @Test("the write-ahead log's file is short again after a long reader")
  func longReader() throws {
    var options = SQLiteRunStore.Options()
    options.checkpointPages = 16
    let small = try SQLiteRunStore(path: folder.file("small.sqlite"), options: options)
    _ = try small.register(Samples.registration(), at: Samples.time(1))
    _ = try small.commit(large(1...1))
    let began = DispatchSemaphore(value: 0)
    let ended = DispatchSemaphore(value: 0)
    let failures = Mutex<[String]>([])
    DispatchQueue.concurrentPerform(iterations: 2) { role in
      do {
        if role == 0 {
          try small.readScalars(of: run, producer: compat.producer, steps: 0...Step.maximum) { _ in
            began.signal()
            ended.wait()
            return false
          }
        } else {
          began.wait()
          defer { ended.signal() }
          for sequence in 2...100 as ClosedRange<UInt64> {
            _ = try small.commit(large(sequence...sequence))
          }
        }
      } catch {
        failures.withLock { $0.append("\(error)") }
      }
    }
    #expect(failures.withLock { $0 } == [])
    let long = try small.statistics().writeAheadLogBytes
    #expect(long > 9 * 16 * (16_384 + 24))
    for sequence in 101...300 as ClosedRange<UInt64> {
      _ = try small.commit(large(sequence...sequence))
    }
    #expect(try small.statistics().writeAheadLogBytes <= (9 * 16 + 12) * (16_384 + 24) + 32)
    #expect(try RunStoreCompat { small }.steps(small) == Array(1...300))
    try small.close()
  }
}
