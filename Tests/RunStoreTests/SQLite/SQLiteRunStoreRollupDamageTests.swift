import RunStore
import Telemetry
import Testing

/// Rollups that are lost, damaged, or not what they should be: readers have the level below, and lose nothing.
@Suite("SQLite: rollups that can't be used")
struct SQLiteRunStoreRollupDamageTests {
  private let folder: TemporaryFolder
  private let run = RunID(stored: "r1")
  private let producer = ProducerID(stored: "p0")
  private static let widest: UInt64 = 1 << 20

  init() throws { folder = try TemporaryFolder() }

  private func open() throws -> SQLiteRunStore { try SQLiteRunStore(path: folder.file()) }

  /// Some thousands of reports, `distance` steps apart, sealed and rolled up as far as they fill segments and rollups.
  private func fill(
    _ store: SQLiteRunStore,
    _ count: UInt64,
    distance: UInt64 = 1,
    _ add: (inout StepReport) -> Void = { _ in }
  ) throws {
    let compat = RunStoreCompat { store }
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    for first in stride(from: 1, through: count, by: 1_000) {
      let last = min(first + 999, count)
      var changes = (first...last).map { sequence in
        var report = Samples.plain(sequence, step: sequence * distance)
        add(&report)
        return compat.report(report)
      }
      changes.append(.snapshot(run: run, producer: producer, sequence: last, state: [1]))
      _ = try store.commit(changes)
    }
    try compat.sealAll(store)
  }

  /// The numbers of rollups of each level.
  private func levels(_ store: SQLiteRunStore) throws -> [String] {
    try store.queryOnWriter("SELECT level, count(*) FROM rollups GROUP BY level ORDER BY level")
  }

  /// Keeps the rollups' rows, so that one fill serves many damages.
  private func keepRollups(_ store: SQLiteRunStore) throws {
    try store.executeOnWriter("CREATE TABLE kept AS SELECT * FROM rollups")
  }

  /// Undoes what was done to the rollups' rows.
  private func putBack(_ store: SQLiteRunStore) throws {
    try store.executeOnWriter("DELETE FROM rollups; INSERT INTO rollups SELECT * FROM kept")
  }

  // MARK: Gaps

  /// A tensor's norms, as coarse as there are.
  private func norms(
    _ store: SQLiteRunStore,
    _ steps: ClosedRange<UInt64>
  ) throws -> [SeriesPart] {
    var parts: [SeriesPart] = []
    let selection = PointSelection(
      run: run,
      producer: producer,
      metric: .gradientNorm,
      indices: [0],
      steps: steps,
      maximumSpan: Self.widest
    )
    try store.readPoints(selection) { _, part in
      parts.append(part)
      return true
    }
    return parts
  }

  /// The losses, as coarse as there are.
  private func losses(
    _ store: SQLiteRunStore,
    _ steps: ClosedRange<UInt64>
  ) throws -> [SeriesPart] {
    var parts: [SeriesPart] = []
    let selection = StepSeriesSelection(
      run: run,
      producer: producer,
      metric: .loss,
      steps: steps,
      maximumSpan: Self.widest
    )
    try store.readStepSeries(selection) { piece in
      parts += piece.series.map(\.part)
      return true
    }
    return parts
  }

  /// Expects that parts have every report once, in step order, and no more than some of them by itself.
  private func expect(
    _ parts: [SeriesPart],
    reports: UInt64,
    measurements: Int,
    _ comment: Comment
  ) {
    var (count, measured) = (UInt64(0), 0)
    var ranges: [ClosedRange<UInt64>] = []
    for part in parts {
      switch part {
      case .measurements(let slice):
        count += UInt64(slice.steps.count)
        measured += slice.steps.count
        ranges += slice.steps.map { $0...$0 }
      case .points(let points):
        count += points.count.reduce(0, +)
        ranges += zip(points.steps, points.lastSteps).map { $0...$1 }
      }
    }
    #expect(count == reports, comment)
    #expect(measured <= measurements, comment)
    let isInOrder = zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound }
    #expect(isInOrder, comment)
  }

  /// Expects that readers of 17,000 reports get every one of them, all but those of some rollups summed up.
  private func expectNothingLost(
    _ store: SQLiteRunStore,
    distance: UInt64,
    without rollups: Int = 1,
    _ comment: Comment
  ) throws {
    // What is not rolled up, and up to a point at both ends.
    let measurements = 17_000 - (4 - rollups) * 4_096 + 32
    for (reports, steps) in [
      (17_000, 0...Step.maximum), (16_986, 5 * distance...16_990 * distance),
    ] as [(UInt64, ClosedRange<UInt64>)] {
      try expect(norms(store, steps), reports: reports, measurements: measurements, comment)
      try expect(losses(store, steps), reports: reports, measurements: measurements, comment)
    }
  }

  @Test(
    "no step is lost with a rollup that is damaged or gone, or says of itself what is not so",
    arguments: [1, 10] as [UInt64]
  )
  func gaps(distance: UInt64) throws {
    let store = try open()
    try fill(store, 17_000, distance: distance)
    #expect(try levels(store) == ["1|4"])
    try keepRollups(store)
    try expectNothingLost(store, distance: distance, without: 0, "sound")
    try store.damage("axis", of: "rollups", where: "id = 2")
    try expectNothingLost(store, distance: distance, "axis")
    for change in [
      "level = 0", "level = 2", "level = 3", "level = 4", "last_step = -1", "last_step = 0",
      // Behind the two that follow it.
      "last_step = 3 * last_step", "first_step = 0", "first_step = 3 * first_step", "rows = 7",
    ] {
      try putBack(store)
      try store.executeOnWriter("UPDATE rollups SET \(change) WHERE id = 2")
      try expectNothingLost(store, distance: distance, "\(change)")
    }
    for (condition, rollups) in [("id = 1", 1), ("id = 2", 1), ("id = 4", 1), ("id IN (2, 3)", 2)] {
      try putBack(store)
      try store.executeOnWriter("DELETE FROM rollups WHERE \(condition)")
      try expectNothingLost(store, distance: distance, without: rollups, "without \(condition)")
    }
    try store.close()
  }

  // MARK: Histograms

  /// A tensor's histograms, merged as far as they are.
  private func histograms(
    _ store: SQLiteRunStore,
    _ tensor: UInt32,
    span: UInt64 = Self.widest
  ) throws -> [HistogramPoint] {
    var found: [HistogramPoint] = []
    try store.readHistograms(
      of: run,
      producer: producer,
      tensor: tensor,
      steps: 0...Step.maximum,
      maximumSpan: span
    ) {
      found.append($0)
      return true
    }
    return found
  }

  private static func exponential(
    _ tensors: [UInt32],
    of sequence: UInt64
  )
    -> ExponentialHistogramColumn
  {
    var column = ExponentialHistogramColumn()
    column.tensorIDs = tensors
    for _ in tensors {
      column.append(
        ExponentialHistogram(positive: .init(offset: -3, counts: [1 + sequence % 5, 1]))
      )
    }
    return column
  }

  private static func explicit(_ tensor: UInt32, bounds: [Double]) -> ExplicitHistogramColumn {
    var column = ExplicitHistogramColumn()
    column.tensorIDs = [tensor]
    column.bounds = bounds
    column.counts = Array(repeating: 1, count: bounds.count + 1)
    return column
  }

  /// Of each histogram of the one rollup its tensor, and whether there is something in it.
  private static let rolledUp = """
    SELECT key % 262144, length(body) > 0 FROM rollup_histograms ORDER BY key
    """

  @Test("histograms with other bounds in each report are not rolled up, and are read below")
  func changingBounds() throws {
    let store = try open()
    // It would throw if that were told as a damage.
    try fill(store, 4_200) { report in
      report.explicitHistograms = Self.explicit(0, bounds: [Double(report.sequence)])
      report.histograms = Self.exponential([1], of: report.sequence)
    }
    #expect(try levels(store) == ["1|1"])
    #expect(try store.queryOnWriter(Self.rolledUp) == ["0|0", "1|1"])
    let below = try histograms(store, 0)
    #expect(below.map(\.firstStep) == Array(1...4_200))
    #expect(below.reduce(0) { $0 + $1.mergedCount } == 4_200)
    // The other tensor has its 256 points, and what is in the log.
    let merged = try histograms(store, 1)
    #expect(merged.count == 256 + 104)
    #expect(merged.reduce(0) { $0 + $1.mergedCount } == 4_200)
    try store.close()
    #expect(try SQLiteRunStore.verify(path: folder.file()) { _ in }.isSound)
  }

  @Test("a tensor with both forms of histograms in each report is rolled up, each form by itself")
  func bothForms() throws {
    let store = try open()
    try fill(store, 4_200) { report in
      report.explicitHistograms = Self.explicit(0, bounds: [-1, 0.5])
      report.histograms = Self.exponential([0], of: report.sequence)
    }
    #expect(try store.queryOnWriter(Self.rolledUp) == ["0|1"])
    let found = try histograms(store, 0)
    var (exponential, explicit) = (UInt64(0), UInt64(0))
    for point in found {
      switch point.histogram {
      case .exponential: exponential += point.mergedCount
      case .explicit: explicit += point.mergedCount
      }
    }
    #expect(exponential == 4_200)
    #expect(explicit == 4_200)
    #expect(found.count == 2 * (256 + 104))
    try store.close()
  }

  @Test("merged histograms that are of other steps than their point are read below")
  func otherSteps() throws {
    let store = try open()
    try fill(store, 4_200) { $0.histograms = Self.exponential([0, 1], of: $0.sequence) }
    let each = try histograms(store, 0, span: 1)
    #expect(each.count == 4_200)
    #expect(try histograms(store, 0).count == 256 + 104)
    let condition = "key = 262144"
    let body = try store.blob("body", of: "rollup_histograms", where: condition)
    let entries = try body.withUnsafeBytes { try RollupHistogramCodec.read($0, Inflater()) }
    #expect(entries.count == 256)
    let changes: [(inout RollupHistogramCodec.Entry) -> Void] = [
      { $0.point.firstStep -= 1 }, { $0.point.firstStep = 0 }, { $0.point.lastStep += 1 },
      { $0.point.lastStep = .max }, { $0.row -= 1 }, { $0.row += 1 },
    ]
    for change in changes {
      var entries = entries
      change(&entries[100])
      var writer = ByteWriter()
      RollupHistogramCodec.write(entries, to: &writer, nil)
      try store.replace("body", of: "rollup_histograms", where: condition, with: writer.array)
      #expect(try histograms(store, 0) == each, "\(entries[100])")
      #expect(try histograms(store, 1).count == 256 + 104)
    }
    try store.close()
  }

  // MARK: Verification

  @Test("the verification tells of a rollup whose row says what its axis does not")
  func verification() throws {
    let store = try open()
    try fill(store, 8_300)
    #expect(try levels(store) == ["1|2"])
    try keepRollups(store)
    for (change, steps, detail) in [
      ("level = 0", "4097...8192", "level: expected 1 to 3, found 0"),
      ("level = 4", "4097...8192", "level: expected 1 to 3, found 4"),
      ("first_step = 4098", "4098...8192", "steps: expected 4098...8192, found 4097...8192"),
      ("last_step = 9000", "4097...9000", "steps: expected 4097...9000, found 4097...8192"),
      // As much as the one before it.
      (
        "(first_step, last_step, axis) = (SELECT first_step, last_step, axis FROM kept WHERE id = 1)",
        "1...4096", "first step: expected one above 4096, found 1"
      ),
    ] {
      try putBack(store)
      try store.executeOnWriter("UPDATE rollups SET \(change) WHERE id = 2")
      var damages: [StoredDamage] = []
      _ = try SQLiteRunStore.verify(path: folder.file()) { damages.append($0) }
      let place = "run r1, producer p0, rollup of steps \(steps), axis"
      #expect(damages == [StoredDamage(place: place, detail: detail)], "\(change)")
    }
    try putBack(store)
    #expect(try SQLiteRunStore.verify(path: folder.file()) { _ in }.isSound)
    try store.close()
  }
}
