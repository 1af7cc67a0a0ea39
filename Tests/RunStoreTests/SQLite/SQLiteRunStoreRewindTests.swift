import Foundation
import RunStore
import Telemetry
import TelemetryTesting
import Testing

@Suite("SQLite: going back over much that is sealed")
struct SQLiteRunStoreRewindTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func open(_ name: String = "runs.sqlite") throws -> SQLiteRunStore {
    var options = SQLiteRunStore.Options()
    options.deletionSliceBytes = 20_000
    // GRDB makes a table and drops it when it opens a file: each opening frees a page.
    options.keptFreeBytes = 65_536
    return try SQLiteRunStore(path: folder.file(name), options: options)
  }

  private func number(_ store: SQLiteRunStore, _ sql: String) throws -> Int {
    try #require(try store.queryOnWriter(sql).first.flatMap { Int($0) })
  }

  /// A run of 4,352 reports, all of them in its 17 segments, the first 16 of them rolled up.
  private func fill(_ store: SQLiteRunStore) throws -> Reference {
    let compat = RunStoreCompat { store }
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    var random = SeededGenerator(seed: 1)
    var reference = Reference()
    for first: UInt64 in stride(from: 1, through: 4_352, by: 256) {
      try commit(first...first + 255, step: first, rewinds: false, to: store, &reference, &random)
      try compat.sealAll(store)
    }
    #expect(try number(store, "SELECT count(*) FROM segments") == 17)
    #expect(try number(store, "SELECT count(*) FROM rollups") == 1)
    #expect(try number(store, "SELECT count(*) FROM log") == 0)
    return reference
  }

  private func commit(
    _ sequences: ClosedRange<UInt64>,
    step: UInt64,
    rewinds: Bool,
    to store: SQLiteRunStore,
    _ reference: inout Reference,
    _ random: inout SeededGenerator
  ) throws {
    let compat = RunStoreCompat { store }
    var changes: [RunChange] = []
    for sequence in sequences {
      let isFirst = sequence == sequences.lowerBound
      let step = step + sequence - sequences.lowerBound
      var next = Samples.random(sequence, step: step, using: &random)
      // Buckets that ingest accepts: others can't be merged.
      if var column = next.histograms {
        column.positiveOffset = column.positiveOffset.map { min(max($0, -1_000), 1_000) }
        column.negativeOffset = column.negativeOffset.map { min(max($0, -1_000), 1_000) }
        next.histograms = column
      }
      next.scalars.annotations = []
      changes.append(compat.report(next, rewinds: rewinds && isFirst))
      reference.accept(next, receivedAt: Samples.time(0), rewinds: rewinds && isFirst)
    }
    changes.append(
      .snapshot(
        run: compat.run,
        producer: compat.producer,
        sequence: sequences.upperBound,
        state: [1]
      )
    )
    _ = try store.commit(changes)
  }

  /// Goes back to a step with one report.
  private func rewind(
    to step: UInt64,
    _ store: SQLiteRunStore,
    _ reference: inout Reference
  ) throws {
    var random = SeededGenerator(seed: step)
    let next = reference.lastSequence + 1
    try commit(next...next, step: step, rewinds: true, to: store, &reference, &random)
  }

  /// Expects that every row hangs on a run, and nothing waits to be removed.
  private func expectNothingLeft(_ store: SQLiteRunStore, segments: Int, rollups: Int) throws {
    #expect(try number(store, "SELECT count(*) FROM segments") == segments)
    #expect(try number(store, "SELECT count(*) FROM segment_scalars") == segments)
    #expect(try number(store, "SELECT count(*) FROM rollups") == rollups)
    for (table, owners) in [
      ("chunks", "segments"), ("histograms", "segments"), ("rollup_chunks", "rollups"),
      ("rollup_histograms", "rollups"),
    ] {
      let orphans =
        "SELECT count(*) FROM \(table) WHERE key / 262144 NOT IN (SELECT id FROM \(owners))"
      #expect(try number(store, orphans) == 0, "\(table)")
    }
    let scalars = "SELECT count(*) FROM rollup_scalars WHERE rollup NOT IN (SELECT id FROM rollups)"
    #expect(try number(store, scalars) == 0)
    let lost = "SELECT count(*) FROM producers WHERE run NOT IN (SELECT key FROM runs)"
    #expect(try number(store, lost) == 0)
    #expect(try number(store, "SELECT count(*) FROM deletions") == 0)
    #expect(try store.queryOnWriter("PRAGMA integrity_check") == ["\"ok\""])
  }

  private func expectSound(_ name: String = "runs.sqlite") throws {
    var damages: [StoredDamage] = []
    _ = try SQLiteRunStore.verify(path: folder.file(name)) { damages.append($0) }
    #expect(damages == [])
  }

  @Test("the commit that goes back changes a row a segment, whatever hangs on it")
  func bounded() throws {
    let store = try open()
    var reference = try fill(store)
    let before = try number(store, "SELECT total_changes()")
    try rewind(to: 0, store, &reference)
    // 17 segments, a rollup, the report, the producer, its snapshot, and four to say what is to be removed.
    #expect(try number(store, "SELECT total_changes()") - before <= 17 + 1 + 3 + 4)
    try store.close()
  }

  @Test(
    "what a rewind drops is gone at once and removed in slices, wherever they are cut off",
    arguments: [(0, 0, 0), (1_000, 4, 0), (4_097, 16, 1), (4_200, 17, 1)]
      as [(UInt64, Int, Int)]
  )
  func slices(step: UInt64, segments: Int, rollups: Int) throws {
    var store = try open()
    var reference = try fill(store)
    try rewind(to: step, store, &reference)
    let footprint = try store.footprints(of: "project")
    #expect(footprint.first?.reports == UInt64(reference.reports.count))
    #expect(try store.statistics().deletionsInProgress == 0, "no run is being deleted")
    var slices = 0
    repeat {
      if slices % 8 == 0 {
        try RunStoreCompat { [store] in store }.expectSame(store, reference, "slice \(slices)")
        #expect(try store.footprints(of: "project") == footprint)
        try expectSound()
        try SQLiteRunStore.backUp(path: folder.file(), to: folder.file("copy \(slices)"))
      }
      try store.close()
      store = try open()
      slices += 1
    } while try store.reclaimNext()
    #expect(step > 1_000 || slices > 16, "\(slices)")
    let compat = RunStoreCompat { [store] in store }
    try compat.expectSame(store, reference, "reclaimed")
    try expectNothingLeft(store, segments: segments, rollups: rollups)
    try store.close()
    try expectSound()
    for slice in stride(from: 0, to: slices, by: 8) {
      let copy = try open("copy \(slice)")
      while try copy.reclaimNext() {}
      try RunStoreCompat { copy }.expectSame(copy, reference, "copy of slice \(slice)")
      try expectNothingLeft(copy, segments: segments, rollups: rollups)
      try copy.close()
    }
  }

  @Test("going back again, and sealing anew, beside what is being removed breaks nothing")
  func again() throws {
    let store = try open()
    let compat = RunStoreCompat { store }
    var random = SeededGenerator(seed: 2)
    var reference = try fill(store)
    try rewind(to: 2_000, store, &reference)
    for _ in 0..<5 { #expect(try store.reclaimNext()) }
    var sequence = reference.lastSequence + 1
    for _ in 0..<4 {
      let step = try #require(reference.lastStep) + 1
      let sequences = sequence...sequence + 255
      try commit(sequences, step: step, rewinds: false, to: store, &reference, &random)
      sequence += 256
      try compat.sealAll(store)
      #expect(try store.reclaimNext())
    }
    try compat.expectSame(store, reference, "sealed anew")
    try rewind(to: 300, store, &reference)
    try compat.expectSame(store, reference, "back again")
    for _ in 0..<5 { #expect(try store.reclaimNext()) }
    try rewind(to: 10, store, &reference)
    while try store.reclaimNext() {}
    try compat.expectSame(store, reference, "reclaimed")
    try expectNothingLeft(store, segments: 1, rollups: 0)
    try rewind(to: 0, store, &reference)
    while try store.reclaimNext() {}
    try expectNothingLeft(store, segments: 0, rollups: 0)
    try compat.expectSame(store, reference, "from the start")
    try store.close()
    try expectSound()
  }

  @Test(
    "a segment that is cut by going back and whose axis is damaged goes as a whole, and the producer goes on",
    arguments: [(1_000, 768), (4_200, 4_096)] as [(UInt64, UInt64)]
  )
  func damagedAxis(step: UInt64, last: UInt64) throws {
    let store = try open()
    var reference = Reference()
    for entry in try fill(store).reports {
      if entry.report.step <= last {
        reference.accept(entry.report, receivedAt: entry.receivedAt, rewinds: false)
      } else {
        reference.refuse()
      }
    }
    let cut = "first_step < \(step) AND last_step > \(step)"
    try store.damage("axis", of: "segments", where: cut)
    try rewind(to: step, store, &reference)
    let compat = RunStoreCompat { store }
    try compat.expectSame(store, reference, "went back")
    try expectSound()
    var random = SeededGenerator(seed: 3)
    let next = reference.lastSequence + 1
    try commit(next...next + 299, step: step + 1, rewinds: false, to: store, &reference, &random)
    try compat.sealAll(store)
    while try store.reclaimNext() {}
    try compat.expectSame(store, reference, "went on")
    try expectNothingLeft(store, segments: Int(last) / 256 + 1, rollups: Int(last) / 4_096)
    try store.close()
    try expectSound()
  }

  @Test("a run that is deleted while what it dropped is being removed leaves nothing")
  func deleted() throws {
    let store = try open()
    var reference = try fill(store)
    try rewind(to: 1_000, store, &reference)
    for _ in 0..<5 { #expect(try store.reclaimNext()) }
    #expect(try store.deleteRun(RunID("r1"), evenIfRunning: true))
    #expect(try store.statistics().deletionsInProgress == 1)
    for _ in 0..<5 { #expect(try store.reclaimNext()) }
    try expectSound()
    _ = try store.register(Samples.registration(), at: Samples.time(2))
    while try store.reclaimNext() {}
    try expectNothingLeft(store, segments: 0, rollups: 0)
    #expect(try number(store, "SELECT count(*) FROM producers") == 1)
    for table in [
      "log", "snapshots", "chunks", "histograms", "rollup_chunks", "rollup_scalars",
    ] {
      #expect(try number(store, "SELECT count(*) FROM \(table)") == 0, "\(table)")
    }
    try store.close()
    try expectSound()
  }
}
