import Foundation
import RunStore
import Telemetry
import Testing

/// Stored bytes that changed: what is damaged is named, and the rest is served.
@Suite("SQLite: damage")
struct SQLiteRunStoreDamageTests {
  private let folder: TemporaryFolder
  private let store: SQLiteRunStore
  private let compat: RunStoreCompat
  private let run = RunID(stored: "r1")
  private let producer = ProducerID(stored: "p0")

  /// Steps 0 to 511 are sealed, in segments 1 and 2; steps 512 to 599 are in the log.
  init() throws {
    let folder = try TemporaryFolder()
    self.folder = folder
    let store = try SQLiteRunStore(path: folder.file())
    self.store = store
    compat = RunStoreCompat { store }
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    var changes = (1...600).map { sequence in
      var report = Samples.plain(UInt64(sequence), step: UInt64(sequence - 1))
      report.activations.mean = [1, 2, 3]
      var column = ExponentialHistogramColumn()
      column.append(ExponentialHistogram(zeroCount: UInt64(sequence)))
      column.append(ExponentialHistogram(positive: .init(counts: [UInt64(sequence)])))
      report.histograms = column
      return compat.report(report)
    }
    changes.append(.snapshot(run: run, producer: producer, sequence: 600, state: [1, 2]))
    changes.append(.transitions([Samples.transition(Samples.alert())]))
    _ = try store.commit(changes)
    try compat.sealAll(store)
  }

  private func expectDamage(
    _ place: String,
    _ expected: String = "checksum mismatch: expected ",
    _ body: () throws -> Void
  ) {
    let error = #expect(throws: RunStoreError.self, performing: body)
    guard case .damaged(let found, let detail) = error else {
      Issue.record("expected damage, found \(String(describing: error))")
      return
    }
    #expect(found == place)
    #expect(detail.hasPrefix(expected))
  }

  private func norms(
    _ index: UInt32,
    metric: Metric = .gradientNorm,
    in steps: ClosedRange<UInt64>
  ) throws -> Int {
    var count = 0
    try store.readSeries(
      SeriesSelection(run: run, producer: producer, metric: metric, index: index, steps: steps)
    ) { slice in
      count += slice.steps.count
      return true
    }
    return count
  }

  private func histograms(_ tensor: UInt32, in steps: ClosedRange<UInt64>) throws -> Int {
    var count = 0
    try store.readHistograms(
      of: run,
      producer: producer,
      tensor: tensor,
      steps: steps,
      maximumSpan: 1
    ) { _ in
      count += 1
      return true
    }
    return count
  }

  private func scalars(in steps: ClosedRange<UInt64>) throws -> Int {
    var count = 0
    try store.readScalars(of: run, producer: producer, steps: steps) { _ in
      count += 1
      return true
    }
    return count
  }

  @Test("a damaged chunk is named by its tensor and steps; other tensors and steps are served")
  func chunk() throws {
    try store.damage("body", of: "chunks", where: "key = 2 * 262144 + 1")
    expectDamage("run r1, producer p0, tensor layer1.tensor1, steps 256...511") {
      _ = try norms(1, in: 0...Step.maximum)
    }
    #expect(try norms(1, in: 0...255) == 256)
    #expect(try norms(1, in: 512...599) == 88)
    #expect(try norms(0, in: 0...599) == 600)
    #expect(try histograms(1, in: 0...599) == 600)
  }

  @Test("a damaged chunk of a layer is named by the layer")
  func layerChunk() throws {
    try store.damage("body", of: "chunks", where: "key = 1 * 262144 + 131072 + 2")
    expectDamage("run r1, producer p0, layer layer2, steps 0...255") {
      _ = try norms(2, metric: .activationMean, in: 0...Step.maximum)
    }
    #expect(try norms(1, metric: .activationMean, in: 0...599) == 600)
  }

  @Test("damaged histograms are named; the tensor's statistics are served")
  func histogramChunk() throws {
    try store.damage("body", of: "histograms", where: "key = 1 * 262144 + 1")
    expectDamage("run r1, producer p0, tensor layer1.tensor1, steps 0...255") {
      _ = try histograms(1, in: 0...Step.maximum)
    }
    #expect(try histograms(1, in: 256...599) == 344)
    #expect(try histograms(0, in: 0...599) == 600)
    #expect(try norms(1, in: 0...599) == 600)
  }

  @Test("damaged scalars and axes are named by their steps")
  func shared() throws {
    try store.damage("body", of: "segment_scalars", where: "segment = 1")
    expectDamage("run r1, producer p0, scalars of steps 0...255") {
      _ = try scalars(in: 0...Step.maximum)
    }
    #expect(try scalars(in: 256...599) == 344)
    #expect(try norms(1, in: 0...599) == 600)
    try store.damage("axis", of: "segments", where: "id = 2")
    expectDamage("run r1, producer p0, axis of steps 256...511") {
      _ = try norms(1, in: 300...300)
    }
    #expect(try norms(1, in: 0...255) == 256)
  }

  @Test("a damaged log row is named; the others are served")
  func logRow() throws {
    try store.damage("body", of: "log", where: "sequence = 550")
    expectDamage("run r1, producer p0, report 550") { _ = try compat.logged(store) }
    #expect(try compat.logged(store, after: 550).count == 50)
    expectDamage("run r1, producer p0, report of step 549") {
      _ = try norms(1, in: 0...Step.maximum)
    }
    expectDamage("run r1, producer p0, report of step 549") { _ = try scalars(in: 549...549) }
    #expect(try norms(1, in: 0...548) == 549)
    #expect(try histograms(1, in: 0...599) == 600)
    try store.damage("histograms", of: "log", where: "sequence = 560")
    expectDamage("run r1, producer p0, report of step 559") {
      _ = try histograms(1, in: 559...559)
    }
    #expect(try norms(1, in: 559...559) == 1)
  }

  @Test("a log row that stands at another step than its report is named")
  func otherStep() throws {
    try store.executeOnWriter("UPDATE log SET step = step + 128 WHERE sequence = 550")
    let place = "run r1, producer p0, report of step 677"
    let detail = "step: expected 677, found 549"
    for span: UInt64 in [1, 1 << 20] {
      let losses = StepSeriesSelection(
        run: run,
        producer: producer,
        metric: .loss,
        steps: 0...Step.maximum,
        maximumSpan: span
      )
      expectDamage(place, detail) { try store.readStepSeries(losses) { _ in true } }
    }
    expectDamage(place, detail) { _ = try scalars(in: 0...Step.maximum) }
    #expect(try scalars(in: 0...599) == 599)
  }

  @Test("a chunk that is not there, and should be, is named; one that never was is not missed")
  func lost() throws {
    let missing = "expected a row, found none"
    let place = "run r1, producer p0, tensor layer1.tensor1, steps 256...511"
    try store.executeOnWriter("DELETE FROM chunks WHERE key = 2 * 262144 + 1")
    expectDamage(place, missing) { _ = try norms(1, in: 0...Step.maximum) }
    let points = PointSelection(
      run: run,
      producer: producer,
      metric: .gradientNorm,
      indices: [0, 1],
      steps: 0...Step.maximum,
      maximumSpan: 1
    )
    expectDamage(place, missing) { try store.readPoints(points) { _, _ in true } }
    #expect(try norms(1, in: 0...255) == 256)
    #expect(try norms(0, in: 0...599) == 600)
    expectDamage("run r1, producer p0, steps 256...511", missing) {
      _ = try store.reports(of: run, producer: producer, from: 256)
    }
    try store.executeOnWriter("DELETE FROM histograms WHERE key = 2 * 262144 + 1")
    expectDamage(place, missing) { _ = try histograms(1, in: 0...599) }
    try store.executeOnWriter("DELETE FROM segment_scalars WHERE segment = 2")
    expectDamage("run r1, producer p0, scalars of steps 256...511", missing) {
      _ = try scalars(in: 0...599)
    }
    // As a version wrote it that did not say what there is.
    try store.executeOnWriter("UPDATE segments SET contents = NULL")
    #expect(try norms(1, in: 0...599) == 344)
    #expect(try norms(2, metric: .activationStd, in: 0...599) == 0)
  }

  @Test("a damaged snapshot, model, alert or transition is named")
  func others() throws {
    try store.damage("state", of: "snapshots", where: "1")
    expectDamage("run r1, producer p0, detector snapshot") {
      _ = try store.snapshot(of: run, producer: producer)
    }
    try store.executeOnWriter("DELETE FROM snapshots")
    expectDamage("run r1, producer p0, detector snapshot", "expected a row, found none") {
      _ = try store.snapshot(of: run, producer: producer)
    }
    try store.damage("body", of: "alerts", where: "1")
    let id = Samples.alert().id
    expectDamage("alert \(id)") { _ = try store.alert(id) }
    try store.damage("body", of: "alert_transitions", where: "1")
    // The others of all runs are given all the same.
    let transition = Samples.transition(Samples.alert(), from: .firing)
    _ = try store.commit([.transitions([transition, transition])])
    var damages: [RunStoreError] = []
    let found = try store.transitions(after: .start, limit: 1) { damages.append($0) }
    #expect(found.map(\.cursor.rawValue) == [2])
    guard case .damaged("alert transition 1", _)? = damages.first, damages.count == 1 else {
      Issue.record("expected a damage, found \(damages)")
      return
    }
    try store.damage("body", of: "models", where: "1")
    expectDamage("run r1, model") { _ = try store.model(of: run) }
    expectDamage("run r1, model") {
      _ = try store.register(Samples.registration(), at: Samples.time(1))
    }
    // Without the model, a tensor is named by its index.
    try store.damage("body", of: "chunks", where: "key = 2 * 262144 + 1")
    expectDamage("run r1, producer p0, tensor 1, steps 256...511") {
      _ = try norms(1, in: 0...Step.maximum)
    }
  }

  @Test("alerts on both sides of a damaged one are listed, and who can't do without is told of it")
  func listing() throws {
    try store.damage("body", of: "alerts", where: "1")
    let id = Samples.alert().id
    let others = (1...3).map { Samples.alert(firstStep: 1000 + $0) }
    _ = try store.commit([.transitions(others.map { Samples.transition($0) })])
    try store.damage("body", of: "alerts", where: "id = '\(others[1].id)'")
    for size in 1...5 {
      var listed: [AlertID] = []
      var damages: [String] = []
      var page = PageRequest(size: size)
      repeat {
        let found = try store.alerts(AlertFilter(), page: page) {
          if case .damaged(let place, _) = $0 { damages.append(place) }
        }
        listed += found.items.map(\.id)
        page.after = found.next
      } while page.after != nil
      #expect(listed == [others[2].id, others[0].id])
      #expect(damages == ["alert \(others[1].id)", "alert \(id)"])
    }
    expectDamage("alert \(others[1].id)") {
      _ = try store.alerts(AlertFilter(), page: PageRequest(size: 9))
    }
  }

  @Test("sealing passes over a damaged producer, and seals the others")
  func sealing() throws {
    _ = try store.register(Samples.registration(producer: "p1"), at: Samples.time(1))
    _ = try store.commit(
      (1...10).map { compat.report(Samples.plain($0, step: $0), producer: "p1", snapshot: [1]) } + [
        .finish(run: run, status: .finished, reason: "", at: Samples.time(3))
      ]
    )
    try store.damage("body", of: "log", where: "sequence = 550")
    expectDamage("run r1, producer p0, report 550") { _ = try store.sealNext() }
    #expect(try store.sealNext())
    #expect(try store.sealNext() == false)
    #expect(try compat.logged(store, producer: "p1").isEmpty)
    #expect(try compat.steps(store, producer: "p1").count == 10)
    #expect(try compat.logged(store, after: 550).count == 50)
  }

  @Test("a file with torn pages is damaged, not fatal")
  func pages() throws {
    try store.close()
    let file = try #require(FileHandle(forUpdatingAtPath: folder.file()))
    let size = try file.seekToEnd()
    // All but the first page, which holds the schema and where the tables start.
    try file.seek(toOffset: 16_384)
    try file.write(contentsOf: Data(repeating: 0xA5, count: Int(size) - 16_384))
    try file.close()
    let error = #expect(throws: RunStoreError.self) {
      let store = try SQLiteRunStore(path: folder.file())
      _ = try store.run(run)
    }
    guard case .damaged(let place, _) = error else {
      Issue.record("expected damage, found \(String(describing: error))")
      return
    }
    #expect(place == "database \(folder.file())")
  }
}
