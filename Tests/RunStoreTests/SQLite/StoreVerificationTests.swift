import Foundation
import GRDB
import RunStore
import Telemetry
import Testing

@Suite("SQLite: verifying and copying a file")
struct StoreVerificationTests {
  private let folder: TemporaryFolder
  private let store: SQLiteRunStore

  /// Of run r1, steps 0 to 511 are sealed, in segments 1 and 2, and steps 512 to 599 are in the log; run
  /// `other` has 10 reports in the log.
  init() throws {
    folder = try TemporaryFolder()
    let store = try SQLiteRunStore(path: folder.file())
    self.store = store
    let compat = RunStoreCompat { store }
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    _ = try store.register(Samples.registration(run: "other"), at: Samples.time(1))
    var changes: [RunChange] = (1...600).map { sequence in
      var report = Samples.plain(UInt64(sequence), step: UInt64(sequence - 1))
      report.gradients.mean = [Float(sequence), 2]
      report.activations.mean = [1, 2, 3]
      var column = ExponentialHistogramColumn()
      column.append(ExponentialHistogram(zeroCount: UInt64(sequence)))
      column.append(ExponentialHistogram(positive: .init(counts: [UInt64(sequence)])))
      report.histograms = column
      report.timeStepNorms = [TimeStepNorms(layer: 1, positions: [0], norms: [1])]
      return compat.report(report)
    }
    changes.append(
      .snapshot(run: compat.run, producer: compat.producer, sequence: 600, state: [1, 2])
    )
    changes.append(.transitions([Samples.transition(Samples.alert())]))
    changes += (1...10).map { sequence in
      .report(
        RunChange.AcceptedReport(
          run: RunID(stored: "other"),
          producer: compat.producer,
          report: Samples.plain(sequence, step: sequence),
          receivedAt: Samples.time(5)
        )
      )
    }
    _ = try store.commit(changes)
    try compat.sealAll(store)
    _ = try store.setRules(
      RuleSet([RuleSettings(RuleID("loss_plateau"))]),
      of: .project("project")
    )
  }

  private func verify(
    _ path: String? = nil
  ) throws -> (result: StoreVerification, damages: [StoredDamage]) {
    var damages: [StoredDamage] = []
    let result = try SQLiteRunStore.verify(path: path ?? folder.file()) { damages.append($0) }
    #expect(result.damages == damages.count)
    return (result, damages)
  }

  @Test("numbers of a segment that can't be are told, and counted as nothing or a whole segment")
  func impossibleCount() throws {
    for (count, reports) in [("-1", 256), ("9223372036854775807", 512), ("0", 256)] {
      try store.executeOnWriter("UPDATE segments SET count = \(count) WHERE id = 2")
      let (found, damages) = try verify()
      #expect(found.reports.all == UInt64(reports + 88 + 10))
      #expect(damages.contains { $0.place.contains("axis of steps 256...511") })
    }
  }

  @Test("a sound file is counted, while a store has it open and after")
  func sound() throws {
    var expected = StoreVerification()
    expected.runs = .init(all: 2, sound: 2)
    expected.segments = .init(all: 2, sound: 2)
    expected.reports = .init(all: 610, sound: 610)
    expected.alerts = .init(all: 1, sound: 1)
    #expect(try verify().result == expected)
    try store.close()
    let before = FileManager.default.contents(atPath: folder.file())
    #expect(try verify().result == expected)
    #expect(FileManager.default.contents(atPath: folder.file()) == before)
  }

  @Test(
    "every damage is named with run, producer, tensor or layer and steps, and what is left of it"
  )
  func damages() throws {
    try store.damage("body", of: "chunks", where: "key = 2 * 262144 + 1")
    try store.damage("body", of: "chunks", where: "key = 1 * 262144 + 131072 + 2", byte: 3)
    try store.damage("body", of: "histograms", where: "key = 1 * 262144")
    try store.damage("body", of: "segment_scalars", where: "segment = 2")
    try store.damage("time_step_norms", of: "segment_scalars", where: "segment = 2")
    try store.damage("body", of: "log", where: "sequence = 550")
    try store.damage("histograms", of: "log", where: "sequence = 560")
    try store.damage("state", of: "snapshots", where: "1")
    try store.damage("body", of: "alerts", where: "1")
    try store.damage("body", of: "alert_transitions", where: "1")
    try store.damage("labels", of: "runs", where: "id = 'r1'")
    try store.executeOnWriter("UPDATE rule_sets SET body = '{'")
    let (result, damages) = try verify()
    let producer = "run r1, producer p0, "
    #expect(
      damages.map { "\($0.place) | \($0.saved)" } == [
        "run r1, labels | ",
        producer + "detector snapshot | ",
        producer + "layer layer2, steps 0...255 | ",
        producer + "tensor layer0.tensor0, steps 0...255 | ",
        producer + "scalars of steps 256...511 | ",
        producer + "norms through time of steps 256...511 | ",
        producer + "tensor layer1.tensor1, steps 256...511 | gradientNorm",
        producer + "report 550 of step 549 | histograms",
        producer + "report 560 of step 559, histograms | all else",
        "run r1, alert \(Samples.alert().id) | ",
        "run r1, alert transition 1 | ",
        "rules of project | ",
      ]
    )
    #expect(damages.prefix(11).allSatisfy { $0.detail.contains(": expected ") })
    #expect(
      damages[6].description.hasSuffix("; can still be read: gradientNorm")
    )
    #expect(result.runs == .init(all: 2, sound: 1))
    #expect(result.segments == .init(all: 2, sound: 0))
    #expect(result.reports == .init(all: 610, sound: 96))
    #expect(result.alerts == .init(all: 1, sound: 0))
    #expect(!result.isSound)
    try store.close()
  }

  @Test("without its model, a run's tensors are named by their index")
  func model() throws {
    try store.damage("body", of: "models", where: "run = 1")
    try store.damage("body", of: "chunks", where: "key = 2 * 262144 + 1")
    #expect(
      try verify().damages.map(\.place) == [
        "run r1, model", "run r1, producer p0, tensor 1, steps 256...511",
      ]
    )
    try store.close()
  }

  @Test("rows that are missing or belong to nothing are told")
  func rows() throws {
    try store.executeOnWriter("DELETE FROM segments WHERE id = 2")
    try store.executeOnWriter("DELETE FROM log WHERE sequence = 570")
    try store.executeOnWriter("DELETE FROM segment_scalars WHERE segment = 1")
    try store.executeOnWriter("INSERT INTO models(run, body) VALUES (9, x'')")
    try store.executeOnWriter("UPDATE alerts SET run = 9")
    try store.executeOnWriter("UPDATE alert_transitions SET run = 9")
    try store.executeOnWriter("INSERT INTO snapshots(producer, sequence, state) VALUES (9, 1, x'')")
    try store.executeOnWriter(
      """
      INSERT INTO rollups(id, producer, level, first_step, last_step, rows, axis)
      VALUES (9, 9, 1, 0, 0, 0, x'')
      """
    )
    try store.executeOnWriter("INSERT INTO rollup_chunks(key, body) VALUES (8 * 262144, x'')")
    try store.executeOnWriter("INSERT INTO rollup_scalars(rollup, body) VALUES (8, x'')")
    try store.executeOnWriter(
      """
      INSERT INTO segments(id, producer, first_step, last_step, first_sequence, last_sequence, count, rows, axis)
      VALUES (9, 9, 0, 0, 0, 0, 0, 0, x'')
      """
    )
    let damages = try verify().damages.map(\.description)
    #expect(
      damages == [
        "run r1, producer p0, scalars of steps 0...255: damaged: expected a row, found none",
        "run r1, producer p0, log: damaged: rows: expected 88, found 87",
      ]
        + [
          ("models", 1), ("alerts", 1), ("alert_transitions", 1), ("snapshots", 1),
          ("segments", 1), ("segment_scalars", 1), ("chunks", 5), ("histograms", 2),
          ("rollups", 1), ("rollup_chunks", 1), ("rollup_scalars", 1),
        ].map { table, rows in
          "table \(table): damaged: \(rows) rows: expected what they belong to, found nothing"
        }
    )
    try store.close()
  }

  @Test("what a crash left of a segment and a rollup that were being written is no damage")
  func unfinished() throws {
    for (table, owners) in [("chunks", "segments"), ("rollup_histograms", "rollups")] {
      try store.executeOnWriter(
        """
        INSERT INTO \(table)(key, body)
        SELECT (coalesce(max(id), 0) + 1) * 262144, x'' FROM \(owners)
        """
      )
    }
    #expect(try verify().damages.map(\.description) == [])
    try store.close()
  }

  @Test("a run that is being deleted is no damage")
  func deletion() throws {
    #expect(try store.deleteRun(RunID("r1"), evenIfRunning: true))
    let result = try verify().result
    #expect(result.isSound)
    #expect(result.runs == .init(all: 1, sound: 1))
    try store.close()
  }

  @Test("torn pages are told, and what lies elsewhere is still looked at")
  func pages() throws {
    try store.close()
    let handle = try FileHandle(forUpdating: URL(fileURLWithPath: folder.file()))
    let pages = Int(try handle.seekToEnd()) / 16_384
    // The last page that is in use: of a table, an overflow, or free.
    for page in pages / 2..<pages / 2 + 6 {
      try handle.seek(toOffset: UInt64(page * 16_384))
      try handle.write(contentsOf: Data(repeating: 0xAB, count: 16_384))
    }
    try handle.close()
    let (result, damages) = try verify()
    #expect(!result.isSound)
    #expect(damages.contains { $0.place.hasPrefix("database ") })
    #expect(result.runs.all == 2)
  }

  @Test("a file that is none of ours, or not there, is refused")
  func refusals() throws {
    try store.close()
    let other = folder.file("other")
    try Data("text".utf8).write(to: URL(fileURLWithPath: other))
    let empty = folder.file("empty")
    try Data().write(to: URL(fileURLWithPath: empty))
    for path in [other, empty, folder.file("missing"), folder.path, ""] {
      let error = #expect(throws: RunStoreError.self) { try verify(path) }
      guard case .cannotOpen(path, _) = error else {
        Issue.record("expected cannotOpen, found \(String(describing: error))")
        continue
      }
    }
    #expect(FileManager.default.fileExists(atPath: folder.file("missing")) == false)
  }

  @Test("a copy of a file that is open has everything, and no free page")
  func copy() throws {
    #expect(try store.deleteRun(RunID("other"), evenIfRunning: true))
    while try store.reclaimNext() {}
    let copy = folder.file("copy")
    try SQLiteRunStore.backUp(path: folder.file(), to: copy)
    #expect(!FileManager.default.fileExists(atPath: copy + ".partial"))
    let result = try verify(copy).result
    #expect(result.isSound)
    #expect(result.reports.all == 600)
    #expect(try verify().result == result)
    let opened = try SQLiteRunStore(path: copy)
    // GRDB makes a table and drops it when it opens a file.
    let free = try #require(try opened.queryOnWriter("PRAGMA freelist_count").first)
    #expect(["0", "1"].contains(free))
    #expect(try opened.queryOnWriter("PRAGMA auto_vacuum") == ["2"])
    #expect(try opened.queryOnWriter("PRAGMA journal_mode") == ["\"wal\""])
    let compat = RunStoreCompat { opened }
    _ = try opened.commit([compat.report(Samples.plain(601, step: 600))])
    #expect(try compat.steps(opened) == Array(0...600))
    try opened.close()
    #expect(try store.run(RunID("r1"))?.lastStep == 599, "the original is not the copy")
    try store.close()
  }

  @Test("of two who make the same copy the second is refused; what a kill left is used again")
  func copyInProgress() throws {
    let copy = folder.file("copy")
    try Data("half of a copy".utf8).write(to: URL(fileURLWithPath: copy + ".partial"))
    let other = try #require(FileHandle(forUpdatingAtPath: copy + ".partial"))
    #expect(flock(other.fileDescriptor, LOCK_EX | LOCK_NB) == 0)
    #expect(throws: RunStoreError.inUse(path: copy + ".partial")) {
      try SQLiteRunStore.backUp(path: folder.file(), to: copy)
    }
    try other.close()
    // A kill after it got its name.
    try SQLiteRunStore.backUp(path: folder.file(), to: copy)
    try FileManager.default.linkItem(atPath: copy, toPath: folder.file("next") + ".partial")
    let before = FileManager.default.contents(atPath: copy)
    try SQLiteRunStore.backUp(path: folder.file(), to: folder.file("next"))
    #expect(FileManager.default.contents(atPath: copy) == before)
    for name in ["copy", "next"] {
      #expect(try verify(folder.file(name)).result.isSound)
      #expect(!FileManager.default.fileExists(atPath: folder.file(name) + ".partial"))
    }
    try store.close()
  }

  @Test(
    "a copy is not made beside what is left of another",
    arguments: ["-wal", "-shm", "-journal"]
  )
  func leftLog(suffix: String) throws {
    let copy = folder.file("copy")
    try Data("log".utf8).write(to: URL(fileURLWithPath: copy + suffix))
    #expect(
      throws: RunStoreError.cannotOpen(
        path: copy + suffix,
        detail: "expected nothing there, found what is left of another database"
      )
    ) { try SQLiteRunStore.backUp(path: folder.file(), to: copy) }
    #expect(!FileManager.default.fileExists(atPath: copy))
    try store.close()
  }

  @Test("a copy whose first change was cut off is opened, verified and copied")
  func hotJournal() throws {
    let copy = folder.file("copy")
    try SQLiteRunStore.backUp(path: folder.file(), to: copy)
    try store.close()
    // Half of a transaction as a kill leaves it: pages in the file, and the old ones in the journal.
    let queue = try DatabaseQueue(path: copy)
    try queue.writeWithoutTransaction { db in
      try db.execute(sql: "PRAGMA cache_size = 1; BEGIN; CREATE TABLE half(body)")
      for _ in 0..<200 { try db.execute(sql: "INSERT INTO half VALUES (randomblob(16000))") }
      for name in ["opened", "verified", "copied"] {
        for suffix in ["", "-journal"] {
          try FileManager.default.copyItem(
            atPath: copy + suffix,
            toPath: folder.file(name) + suffix
          )
        }
      }
      try db.execute(sql: "ROLLBACK")
    }
    try queue.close()
    let opened = try SQLiteRunStore(path: folder.file("opened"))
    #expect(try opened.run(RunID("r1"))?.lastStep == 599)
    try opened.close()
    #expect(try verify(folder.file("verified")).result.isSound)
    try SQLiteRunStore.backUp(path: folder.file("copied"), to: folder.file("again"))
    #expect(try verify(folder.file("again")).result.isSound)
  }

  @Test("a copy replaces nothing")
  func noReplacement() throws {
    let copy = folder.file("copy")
    try Data("text".utf8).write(to: URL(fileURLWithPath: copy))
    for place in [copy, folder.file(), ""] {
      #expect(throws: RunStoreError.self) {
        try SQLiteRunStore.backUp(path: folder.file(), to: place)
      }
    }
    #expect(FileManager.default.contents(atPath: copy) == Data("text".utf8))
    #expect(throws: RunStoreError.self) {
      try SQLiteRunStore.backUp(path: folder.file("missing"), to: folder.file("new"))
    }
    #expect(!FileManager.default.fileExists(atPath: folder.file("new")))
    try store.close()
  }
}
