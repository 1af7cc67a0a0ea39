import Foundation
import RunStore
import Telemetry
import Testing

@Suite("SQLite: files of older versions")
struct MigrationTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Where the committed files are.
  private static let fixtures = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures")

  /// A copy of the committed file.
  private func file(_ version: Int) throws -> String {
    let path = folder.file("version-\(version).database")
    try FileManager.default.copyItem(
      at: Self.fixtures.appendingPathComponent("version-\(version).database"),
      to: URL(fileURLWithPath: path)
    )
    return path
  }

  @Test("every value of a file of any version is read back", arguments: 1...StoredFixture.newest)
  func read(version: Int) throws {
    let store = try SQLiteRunStore(path: file(version))
    try expectFixture(version, in: store)
    try store.close()
  }

  @Test("a file of any version takes reports, seals, deletes and is opened again")
  func goesOn() throws {
    for version in 1...StoredFixture.newest {
      let fixture = StoredFixture(version: StoredFixture.newest)
      let path = try file(version)
      var store = try SQLiteRunStore(path: path)
      let compat = RunStoreCompat { [store] in store }
      var reference = StoredFixture(version: version).reference("p0")
      var changes: [RunChange] = []
      for sequence in 13...300 as ClosedRange<UInt64> {
        let report = fixture.report(sequence, step: sequence + 100)
        changes.append(compat.report(report))
        reference.accept(
          report,
          receivedAt: Samples.time(2e9 + Double(sequence) / 8),
          rewinds: false
        )
      }
      changes.append(
        .snapshot(run: fixture.run, producer: compat.producer, sequence: 300, state: [1])
      )
      _ = try store.commit(changes)
      try compat.expectSame(store, reference, tensors: 3, layers: 2, "version \(version), logged")
      #expect(try compat.sealAll(store) == 2, "version \(version)")
      try store.close()
      store = try SQLiteRunStore(path: path)
      try compat.expectSame(store, reference, tensors: 3, layers: 2, "version \(version), sealed")
      #expect(try store.footprints(of: "project").first?.reports == 300 - 3 + 2)
      #expect(try store.deleteRun(fixture.run, evenIfRunning: true))
      while try store.reclaimNext() {}
      #expect(try store.run(fixture.run) == nil)
      #expect(try store.run(fixture.empty) != nil)
      #expect(try store.queryOnWriter("PRAGMA integrity_check") == ["\"ok\""])
      try store.close()
      #expect(try SQLiteRunStore.verify(path: path) { _ in }.isSound)
    }
  }

  @Test("a file of any version is verified as it is, and its copy opens")
  func offline() throws {
    for version in 1...StoredFixture.newest {
      let path = try file(version)
      let before = FileManager.default.contents(atPath: path)
      var damages: [StoredDamage] = []
      let result = try SQLiteRunStore.verify(path: path) { damages.append($0) }
      #expect(damages == [])
      #expect(result.runs == .init(all: 2, sound: 2))
      // Of 12 reports three were gone back over.
      #expect(result.reports == .init(all: 11, sound: 11))
      #expect(FileManager.default.contents(atPath: path) == before)
      let copy = path + "-copy"
      try SQLiteRunStore.backUp(path: path, to: copy)
      let store = try SQLiteRunStore(path: copy)
      try expectFixture(version, in: store)
      try store.close()
    }
  }

  @Test("a footprint is the same whether sealing kept it or it is counted")
  func footprints() throws {
    let store = try SQLiteRunStore(path: file(StoredFixture.newest))
    let kept = try #require(try store.footprints(of: "project").first)
    try store.executeOnWriter("UPDATE segments SET bytes = NULL")
    let counted = try #require(try store.footprints(of: "project").first)
    #expect(counted.bytes < kept.bytes, "without axis and scalars")
    #expect(counted.bytes * 2 > kept.bytes)
    try store.close()
  }

  private func expectFixture(_ version: Int, in store: SQLiteRunStore) throws {
    let fixture = StoredFixture(version: version)
    let compat = RunStoreCompat { store }
    for producer in ["p0", "p1"] {
      try compat.expectSame(
        store,
        fixture.reference(producer),
        producer: producer,
        tensors: 3,
        layers: 2,
        "version \(version)"
      )
    }
    let record = try #require(try store.run(fixture.run))
    #expect(record.project == "project")
    #expect(record.tags == ["b", "a"])
    #expect(record.status == .failed)
    #expect(record.statusReason == "out of memory")
    #expect(record.finishedAt == Samples.time(3e9))
    #expect(record.producers.map(\.lastSequence) == [12, 2])
    #expect(record.producers.map(\.lastStep) == [109, 7])
    #expect(try store.model(of: fixture.run) == Samples.model(layers: 2, tensors: 3))
    #expect(
      try store.snapshot(of: fixture.run, producer: compat.producer)
        == DetectorSnapshot(sequence: 9, state: [7, 8, 9])
    )
    #expect(try store.run(fixture.empty)?.status == .running)
    #expect(try store.alert(fixture.alert.id) == fixture.alert)
    #expect(
      try store.transitions(after: .start, limit: 9, damaged: { _ in }).map(\.transition)
        == fixture.transitions
    )
    #expect(
      try store.rules(of: .project("project"))?.rules == (version >= 2 ? fixture.rules : nil)
    )
    #expect(
      try store.retention().entries
        == (version >= 4 ? [.init(project: "another", retention: Retention(maximumRuns: 5))] : [])
    )
    #expect(try store.queryOnWriter("SELECT count(*) FROM segments") == ["1"])
  }

  /// What takes a file of one version back to the one before.
  private static let reversals: [Int: [String]] = [
    7: [
      "DROP TABLE rollup_scalars", "ALTER TABLE segments DROP COLUMN contents",
      "ALTER TABLE rollups DROP COLUMN contents",
    ],
    // Nothing can turn the counts back: the files of versions 1 to 5 are theirs.
    6: [],
    5: ["DROP TABLE rollups", "DROP TABLE rollup_chunks", "DROP TABLE rollup_histograms"],
    4: [
      "DROP INDEX alert_transitions_by_run", "DROP TABLE deletions", "DROP TABLE retention",
      "ALTER TABLE segments DROP COLUMN bytes",
    ],
    3: ["DROP TABLE annotations"],
    2: ["DROP TABLE rule_sets", "DROP TABLE silences"],
  ]

  @Test(
    "writes the fixture of this version",
    .enabled(if: ProcessInfo.processInfo.environment["GRADWATCH_WRITE_FIXTURES"] != nil)
  )
  func write() throws {
    let place = try #require(ProcessInfo.processInfo.environment["GRADWATCH_WRITE_FIXTURES"])
    for version in 1...StoredFixture.newest {
      let path = folder.file("\(version)")
      let store = try SQLiteRunStore(path: path)
      try StoredFixture(version: version).fill(store)
      for newer in stride(from: StoredFixture.newest, to: version, by: -1) {
        for statement in Self.reversals[newer] ?? [] { try store.executeOnWriter(statement) }
        try store.executeOnWriter("DELETE FROM grdb_migrations WHERE identifier LIKE '\(newer):%'")
      }
      try store.executeOnWriter("PRAGMA page_size = 1024")
      if version < 4 { try store.executeOnWriter("PRAGMA auto_vacuum = NONE") }
      try store.executeOnWriter("VACUUM INTO '\(place)/version-\(version).database'")
      try store.close()
    }
  }
}
