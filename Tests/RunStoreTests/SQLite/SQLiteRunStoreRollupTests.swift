import RunStore
import Telemetry
import Testing

@Suite("SQLite: rollups that were missed")
struct SQLiteRunStoreRollupTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func open() throws -> SQLiteRunStore { try SQLiteRunStore(path: folder.file()) }

  /// Some thousands of reports of the run of most tests, sealed as far as they fill segments.
  private func fill(_ store: SQLiteRunStore, _ count: UInt64) throws {
    let compat = RunStoreCompat { store }
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    for first in stride(from: 1, through: count, by: 1_000) {
      try compat.commitPlain(first...min(first + 999, count), step: first, to: store)
    }
    try compat.sealAll(store)
  }

  /// The numbers of rollups of each level.
  private func levels(_ store: SQLiteRunStore) throws -> [String] {
    try store.queryOnWriter("SELECT level, count(*) FROM rollups GROUP BY level ORDER BY level")
  }

  /// What is read of a tensor with points of up to 256 steps, as text.
  private func points(_ store: SQLiteRunStore, tensor: UInt32 = 0) throws -> [String] {
    var parts: [String] = []
    let selection = PointSelection(
      run: RunID(stored: "r1"),
      producer: ProducerID(stored: "p0"),
      metric: .gradientNorm,
      indices: [tensor],
      steps: 0...Step.maximum,
      maximumSpan: 256
    )
    try store.readPoints(selection) { _, part in
      parts.append(exactly(part))
      return true
    }
    return parts
  }

  /// What is read of the losses with points of up to 256 steps.
  private func losses(_ store: SQLiteRunStore) throws -> [StepSeriesPiece] {
    var pieces: [StepSeriesPiece] = []
    let selection = StepSeriesSelection(
      run: RunID(stored: "r1"),
      producer: ProducerID(stored: "p0"),
      metric: .loss,
      steps: 0...Step.maximum,
      maximumSpan: 256
    )
    try store.readStepSeries(selection) { piece in
      pieces.append(piece)
      return true
    }
    return pieces
  }

  @Test("rollups that a run of the past lacks are made when its file is opened")
  func missing() throws {
    var store = try open()
    try fill(store, 70_000)
    _ = try store.commit([
      .finish(run: RunID("r1"), status: .finished, reason: "", at: Samples.time(5))
    ])
    while try store.sealNext() {}
    let (made, read, losses) = (try levels(store), try points(store), try losses(store))
    #expect(made == ["1|17", "2|1"])
    // All of them, as of a file of before there were any; some; and one level, as a crash leaves it.
    for condition in [
      "1", "level = 2", "id > 5", "id = (SELECT max(id) FROM rollups WHERE level = 1)",
    ] {
      for table in ["rollup_chunks", "rollup_histograms"] {
        try store.executeOnWriter(
          "DELETE FROM \(table) WHERE key / 262144 IN (SELECT id FROM rollups WHERE \(condition))"
        )
      }
      try store.executeOnWriter(
        "DELETE FROM rollup_scalars WHERE rollup IN (SELECT id FROM rollups WHERE \(condition))"
      )
      try store.executeOnWriter("DELETE FROM rollups WHERE \(condition)")
      #expect(try levels(store) != made)
      try store.close()
      store = try open()
      var calls = 0
      while try store.sealNext() { calls += 1 }
      #expect(calls <= 18, "one a call")
      #expect(try levels(store) == made, "\(condition)")
      #expect(try points(store) == read, "\(condition)")
      #expect(try self.losses(store) == losses, "\(condition)")
      #expect(try store.sealNext() == false)
    }
    try store.close()
    #expect(try SQLiteRunStore.verify(path: folder.file()) { _ in }.isSound)
  }

  @Test("a rollup for which the disk had no room is made later", arguments: [1, 2])
  func failed(level: Int) throws {
    let store = try open()
    let trigger = "CREATE TRIGGER fault BEFORE INSERT ON rollups WHEN NEW.level = \(level)"
    try store.executeOnWriter("\(trigger) BEGIN SELECT RAISE(ABORT, 'fault'); END")
    #expect(throws: RunStoreError.self) { try fill(store, level == 1 ? 4_096 : 65_536) }
    #expect(throws: RunStoreError.self) { try store.sealNext() }
    #expect(try store.queryOnWriter("SELECT count(*) FROM log") == ["0"])
    try store.executeOnWriter("DROP TRIGGER fault")
    while try store.sealNext() {}
    #expect(try levels(store) == (level == 1 ? ["1|1"] : ["1|16", "2|1"]))
    try store.close()
    #expect(try SQLiteRunStore.verify(path: folder.file()) { _ in }.isSound)
  }

  @Test("a damaged chunk is left to the level below, and what follows is rolled up")
  func damaged() throws {
    let store = try open()
    let compat = RunStoreCompat { store }
    try fill(store, 4_000)
    try store.executeOnWriter("UPDATE chunks SET body = x'00' WHERE key = 3 * 262144")
    try compat.commitPlain(4_001...12_000, step: 4_001, to: store)
    var failures = 0
    for _ in 0..<60 {
      do { _ = try store.sealNext() } catch {
        failures += 1
        guard case .damaged(let place, _) = error else { throw error }
        #expect(place == "run r1, producer p0, steps 513...768")
      }
    }
    #expect(failures == 1, "it is told once")
    #expect(try levels(store) == ["1|2"])
    // The other tensor has all of its points; of the damaged one reading says what is damaged.
    #expect(try points(store, tensor: 1).contains { $0.contains("points") })
    #expect(throws: RunStoreError.self) { try points(store) }
    try store.close()
    var damages: [String] = []
    _ = try SQLiteRunStore.verify(path: folder.file()) { damages.append($0.place) }
    #expect(damages == ["run r1, producer p0, tensor layer0.tensor0, steps 513...768"])
  }

  @Test(
    "losses of a long run are read from rollups, and from the level below where those lack them",
    arguments: [
      (rollups: "whole", pieces: 0...20),
      // As an earlier version wrote them.
      (rollups: "DELETE FROM rollup_scalars", pieces: 274...290),
      (
        rollups:
          "UPDATE rollup_scalars SET body = x'00' WHERE rollup IN (SELECT id FROM rollups WHERE level = 2)",
        pieces: 18...24
      ),
    ]
  )
  func losses(rollups: String, pieces: ClosedRange<Int>) throws {
    let store = try open()
    try fill(store, 70_000)
    if rollups != "whole" { try store.executeOnWriter(rollups) }
    let read = try losses(store)
    #expect(pieces.contains(read.count), "\(read.count)")
    let counts = read.flatMap(\.series).map { one in
      switch one.part {
      case .measurements(let slice): UInt64(slice.steps.count)
      case .points(let points): points.count.reduce(0, +)
      }
    }
    #expect(counts.reduce(0, +) == 70_000)
    try store.close()
  }

  @Test("a rollup over those of an earlier version is made without losses, and they are read below")
  func olderBelow() throws {
    let store = try open()
    try fill(store, 60_000)
    try store.executeOnWriter("DELETE FROM rollup_scalars")
    try RunStoreCompat { store }.commitPlain(60_001...70_000, step: 60_001, to: store)
    while try store.sealNext() {}
    #expect(try levels(store) == ["1|17", "2|1"])
    let sizes = "SELECT level, count(*) FROM rollups JOIN rollup_scalars ON rollup = id WHERE"
    #expect(try store.queryOnWriter("\(sizes) length(body) > 0 GROUP BY level") == ["1|3"])
    #expect(try store.queryOnWriter("\(sizes) length(body) = 0 GROUP BY level") == ["2|1"])
    #expect(try losses(store).reduce(0) { $0 + $1.rowCount } > 50_000)
    try store.close()
    #expect(try SQLiteRunStore.verify(path: folder.file()) { _ in }.isSound)
  }

  @Test("damaged scalars are told once, left out of the rollup, and what follows is rolled up")
  func damagedScalars() throws {
    let store = try open()
    try fill(store, 4_000)
    try store.executeOnWriter("UPDATE segment_scalars SET body = x'00' WHERE segment = 3")
    try RunStoreCompat { store }.commitPlain(4_001...12_000, step: 4_001, to: store)
    var damages: [RunStoreError] = []
    for _ in 0..<60 {
      do throws(RunStoreError) { _ = try store.sealNext() } catch { damages.append(error) }
    }
    guard case .damaged(let place, _)? = damages.first, damages.count == 1 else {
      Issue.record("expected one damage, found \(damages)")
      return
    }
    #expect(place == "run r1, producer p0, scalars, steps 513...768")
    #expect(try levels(store) == ["1|2"])
    #expect(throws: RunStoreError.self) { try losses(store) }
    #expect(try points(store).contains { $0.contains("points") })
    try store.close()
  }

  @Test(
    "a rollup's chunk that is not there, and should be, is read below; a segment's is told when it is rolled up"
  )
  func lost() throws {
    let store = try open()
    try fill(store, 4_600)
    func counts(_ parts: [String]) -> Bool { parts.contains { $0.contains("points") } }
    #expect(try counts(points(store)))
    try store.executeOnWriter("DELETE FROM rollup_chunks WHERE key % 262144 = 0")
    #expect(try !counts(points(store)))
    #expect(try points(store).count == 18, "of each segment, and of the log")
    #expect(try counts(points(store, tensor: 1)))
    try store.executeOnWriter("DELETE FROM chunks WHERE key = 17 * 262144")
    try RunStoreCompat { store }.commitPlain(4_601...8_300, step: 4_601, to: store)
    var damages: [RunStoreError] = []
    for _ in 0..<40 {
      do throws(RunStoreError) { _ = try store.sealNext() } catch { damages.append(error) }
    }
    guard case .damaged(let place, "expected a row, found none")? = damages.first,
      damages.count == 1
    else {
      Issue.record("expected one damage, found \(damages)")
      return
    }
    #expect(place == "run r1, producer p0, steps 4097...4352")
    #expect(try levels(store) == ["1|2"])
    #expect(throws: RunStoreError.self) { try points(store) }
    try store.close()
  }

  @Test("losses with another name at each step are not summed up, and are read below")
  func manyNames() throws {
    let store = try open()
    let compat = RunStoreCompat { store }
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    for first: UInt64 in stride(from: 1, through: 4_096, by: 512) {
      let reports = (first..<first + 512).map { sequence in
        var report = Samples.plain(sequence, step: sequence)
        report.scalars.losses += (0..<16).map { NamedLoss(name: "\(sequence) \($0)", value: 1) }
        return compat.report(report, snapshot: [1])
      }
      _ = try store.commit(reports)
    }
    try compat.sealAll(store)
    #expect(try levels(store) == ["1|1"])
    #expect(try store.queryOnWriter("SELECT length(body) = 0 FROM rollup_scalars") == ["1"])
    let series = try losses(store).flatMap(\.series)
    #expect(series.count { $0.name == "loss" } == 16, "one a segment")
    #expect(series.count == 16 + 16 * 4_096)
    try store.close()
    #expect(try SQLiteRunStore.verify(path: folder.file()) { _ in }.isSound)
  }
}
