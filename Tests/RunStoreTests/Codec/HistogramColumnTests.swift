import RunStore
import Telemetry
import TelemetryTesting
import Testing

/// Histograms of odd shapes through the log and through a chunk.
@Suite("Histograms in columns")
struct HistogramColumnTests {
  /// Which histograms a run has.
  enum Shape: String, CaseIterable {
    /// All values of a count from none of its bits to all of them, each in a column of its own.
    case widths
    /// Other buckets in every row.
    case moving
    /// Buckets so far apart that columns can't be buckets.
    case apart
    /// More buckets than are written at a time.
    case wide
    /// Now and then none, or none of a sign.
    case sparse
    /// One long histogram among short ones.
    case ragged
    /// Scales that change.
    case scales
    /// All counts are 0, or there are none.
    case empty

    /// The histogram of one row; `nil`: it has none.
    func histogram(_ row: Int, _ random: inout SeededGenerator) -> ExponentialHistogram? {
      func counts(_ count: Int, _ bits: Int) -> [UInt64] {
        (0..<count).map { _ in .random(in: 0...(~0 >> UInt64(64 - bits)), using: &random) }
      }
      switch self {
      case .widths:
        // Some of large numbers that differ in little, so that they are based.
        let narrow = (0...63).map { (1 << UInt64($0)) + UInt64.random(in: 0...3, using: &random) }
        return ExponentialHistogram(
          zeroCount: .random(in: 0...(.max), using: &random),
          positive: .init(offset: -9, counts: (1...64).flatMap { counts(1, $0) }),
          negative: .init(offset: -32, counts: narrow)
        )
      case .moving:
        return ExponentialHistogram(
          positive: .init(
            offset: Int32.random(in: -30...30, using: &random),
            counts: counts(9, 12)
          ),
          negative: .init(offset: Int32(row % 7), counts: counts(row % 5, 3))
        )
      case .apart:
        let offset: Int32 = row % 2 == 0 ? -1_000_000_000 : 1_000_000_000
        return ExponentialHistogram(
          scale: 20,
          positive: .init(offset: offset, counts: counts(3, 9))
        )
      case .wide:
        return ExponentialHistogram(
          scale: 4,
          positive: .init(offset: -700, counts: counts(200 + row % 3, 5)),
          negative: .init(offset: -300, counts: counts(130, 17))
        )
      case .sparse:
        guard row % 3 == 0 else { return nil }
        return ExponentialHistogram(
          positive: .init(offset: 4, counts: row % 2 == 0 ? counts(6, 8) : []),
          negative: .init(offset: -4, counts: row % 4 == 0 ? counts(6, 8) : [])
        )
      case .ragged:
        return ExponentialHistogram(
          positive: .init(offset: 0, counts: counts(row == 40 ? 3000 : 1, 20))
        )
      case .scales:
        return ExponentialHistogram(
          scale: Int32(row / 50) - 2,
          positive: .init(offset: 1, counts: counts(20, 10))
        )
      case .empty:
        return ExponentialHistogram(
          zeroCount: UInt64(row),
          positive: .init(offset: 5, counts: row % 2 == 0 ? [] : [0, 0, 0])
        )
      }
    }
  }

  @Test(
    "what was sent comes back from the log, from a chunk, and from a file opened again",
    arguments: Shape.allCases,
    [1, 2, 7, 256]
  )
  func kept(shape: Shape, rows: Int) throws {
    let folder = try TemporaryFolder()
    var store = try SQLiteRunStore(path: folder.file())
    let registration = try Samples.registration(model: Samples.model(layers: 1, tensors: 2))
    _ = try store.register(registration, at: Samples.time(1))
    var random = SeededGenerator(seed: UInt64(rows))
    var expected: [HistogramPoint] = []
    var changes: [RunChange] = []
    for row in 0..<rows {
      var report = Samples.plain(UInt64(row + 1), step: UInt64(row))
      if let histogram = shape.histogram(row, &random) {
        var column = ExponentialHistogramColumn()
        column.scale = histogram.scale
        // Another tensor's histogram before it, so that its place counts.
        column.append(ExponentialHistogram(scale: histogram.scale, zeroCount: 1))
        column.append(histogram)
        report.histograms = column
        expected.append(HistogramPoint(step: UInt64(row), histogram: .exponential(histogram)))
      }
      changes.append(
        .report(
          RunChange.AcceptedReport(
            run: registration.run,
            producer: registration.producer.id,
            report: report,
            receivedAt: Samples.time(1),
            snapshot: [1]
          )
        )
      )
    }
    _ = try store.commit(changes)
    func found() throws -> [HistogramPoint] {
      var points: [HistogramPoint] = []
      try store.readHistograms(
        of: registration.run,
        producer: registration.producer.id,
        tensor: 1,
        steps: 0...Step.maximum,
        maximumSpan: 1
      ) { point in
        points.append(point)
        return true
      }
      return points
    }
    #expect(try found() == expected, "log")
    _ = try store.commit([
      .finish(run: registration.run, status: .finished, reason: "", at: Samples.time(2))
    ])
    #expect(try store.sealNext())
    #expect(try found() == expected, "chunk")
    try store.close()
    store = try SQLiteRunStore(path: folder.file())
    #expect(try found() == expected, "opened again")
    try store.close()
  }
}
