import Foundation
import RunStore
import Synchronization
import Telemetry
import Testing

@Suite("SQLite: deleting, and space")
struct SQLiteRunStoreDeletionTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func open(slice: Int = 200_000, kept: Int = 0) throws -> SQLiteRunStore {
    var options = SQLiteRunStore.Options()
    options.deletionSliceBytes = slice
    options.keptFreeBytes = kept
    return try SQLiteRunStore(path: folder.file(), options: options)
  }

  /// A run of 300 reports of 2,000 tensors, of which 256 are sealed: 4 MB.
  private func fill(_ store: SQLiteRunStore, _ run: String) throws {
    let model = try Samples.model(layers: 3, tensors: 2000)
    _ = try store.register(Samples.registration(run: run, model: model), at: Samples.time(1))
    let id = RunID(stored: run)
    let producer = ProducerID(stored: "p0")
    for start in stride(from: UInt64(1), through: 300, by: 50) {
      var changes: [RunChange] = (start..<start + 50).map { sequence in
        var report = Samples.plain(sequence, step: sequence)
        report.gradients.norm = (0..<2000).map { Float($0) * Float(sequence) }
        return .report(
          RunChange.AcceptedReport(
            run: id,
            producer: producer,
            report: report,
            receivedAt: Samples.time(5)
          )
        )
      }
      changes.append(.snapshot(run: id, producer: producer, sequence: start + 49, state: [1]))
      _ = try store.commit(changes)
    }
    while try store.sealNext() {}
  }

  private func number(_ store: SQLiteRunStore, _ sql: String) throws -> Int {
    try #require(try store.queryOnWriter(sql).first.flatMap { Int($0) })
  }

  /// Deletes a run to its end; returns in how many slices.
  private func delete(_ run: String, from store: SQLiteRunStore) throws -> Int {
    #expect(try store.deleteRun(RunID(run), evenIfRunning: true))
    var slices = 0
    while try store.reclaimNext() { slices += 1 }
    return slices
  }

  @Test("the file is shorter after a deletion")
  func shorter() throws {
    let store = try open()
    try fill(store, "stays")
    let before = try number(store, "PRAGMA page_count")
    try fill(store, "goes")
    #expect(try number(store, "PRAGMA page_count") > before + before / 4)
    #expect(try delete("goes", from: store) > 20)
    #expect(try number(store, "PRAGMA page_count") <= before + 8)
    #expect(try number(store, "PRAGMA freelist_count") == 0)
    #expect(try store.queryOnWriter("PRAGMA integrity_check") == ["\"ok\""])
    try store.checkpoint()
    let size = try #require(
      try FileManager.default.attributesOfItem(atPath: folder.file())[.size] as? NSNumber
    )
    #expect(size.intValue <= (before + 8) * 16_384)
    #expect(try store.statistics().writeAheadLogBytes == 0)
    try store.close()
  }

  @Test("some free pages stay, for the log of runs in progress")
  func kept() throws {
    let store = try open(kept: 1_000_000)
    let compat = RunStoreCompat { store }
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    try compat.commitPlain(1...1, step: 0, to: store)
    try fill(store, "goes")
    _ = try delete("goes", from: store)
    #expect(try number(store, "PRAGMA freelist_count") == 1_000_000 / 16_384)
    #expect(try store.statistics().freeBytes == UInt64(1_000_000 / 16_384 * 16_384))
    try store.close()
  }

  @Test("what the log of a run took is given back when all of it is sealed")
  func idle() throws {
    let store = try open(kept: 1_000_000)
    let compat = RunStoreCompat { store }
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    try compat.commitPlain(1...20_000, step: 0, to: store)
    #expect(try store.reclaimNext() == false, "the log is not empty")
    _ = try store.commit([
      .finish(run: compat.run, status: .finished, reason: "", at: Samples.time(5))
    ])
    while try store.sealNext() {}
    let pages = try number(store, "PRAGMA page_count")
    let free = try number(store, "PRAGMA freelist_count")
    #expect(free > pages / 2)
    while try store.reclaimNext() {}
    #expect(try number(store, "PRAGMA freelist_count") == 0)
    #expect(try number(store, "PRAGMA page_count") <= pages - free)
    #expect(try store.queryOnWriter("PRAGMA integrity_check") == ["\"ok\""])
    #expect(try compat.steps(store) == Array(0..<20_000))
    try store.close()
  }

  @Test("a file that can't give pages back uses them again")
  func olderFile() throws {
    let store = try open()
    try store.executeOnWriter("PRAGMA auto_vacuum = NONE")
    try store.executeOnWriter("VACUUM")
    #expect(try store.queryOnWriter("PRAGMA auto_vacuum") == ["0"])
    try fill(store, "first")
    let before = try number(store, "PRAGMA page_count")
    _ = try delete("first", from: store)
    #expect(try number(store, "PRAGMA page_count") == before)
    #expect(try number(store, "PRAGMA freelist_count") > before / 2)
    #expect(try store.statistics().deletionsInProgress == 0)
    try fill(store, "second")
    #expect(try number(store, "PRAGMA page_count") <= before + 8)
    try store.close()
  }

  @Test("a slice removes no more than it is told, but for one row")
  func bounded() throws {
    let store = try open(slice: 100_000)
    try fill(store, "goes")
    #expect(try store.deleteRun(RunID("goes"), evenIfRunning: true))
    let bytes = """
      SELECT (SELECT coalesce(sum(length(body)), 0) FROM chunks)
        + (SELECT coalesce(sum(length(body)), 0) FROM log)
      """
    var left = try number(store, bytes)
    while left > 0 {
      #expect(try store.reclaimNext())
      let now = try number(store, bytes)
      #expect(left - now <= 100_000 + 10_000)
      left = now
    }
    try store.close()
  }

  @Test("a producer that could not be sealed does not keep another of the same key from it")
  func damagedProducer() throws {
    let store = try open()
    let compat = RunStoreCompat { store }
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    try compat.commitPlain(1...256, step: 0, to: store)
    try store.executeOnWriter("UPDATE log SET body = x'00' WHERE sequence = 7")
    #expect(throws: RunStoreError.self) { try store.sealNext() }
    _ = try delete("r1", from: store)
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    try compat.commitPlain(1...256, step: 0, to: store)
    #expect(try store.queryOnWriter("SELECT key FROM producers") == ["1"])
    #expect(try store.sealNext())
    try store.close()
  }

  @Test("a run that is deleted while a segment of it is made is deleted all the same")
  func deletedWhileSealed() throws {
    let store = try open()
    let compat = RunStoreCompat { store }
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    try compat.commitPlain(1...256, step: 0, to: store)
    let run = compat.run
    store.sealingProbe.withLock { probe in
      probe = { _ = try? store.deleteRun(run, evenIfRunning: true) }
    }
    #expect(try store.sealNext())
    store.sealingProbe.withLock { $0 = nil }
    #expect(try store.sealNext() == false)
    while try store.reclaimNext() {}
    for table in ["log", "segments", "segment_scalars", "chunks", "producers", "deletions"] {
      #expect(try number(store, "SELECT count(*) FROM \(table)") == 0, "\(table)")
    }
    try store.close()
  }
}
