import Query
import RunStore
import Telemetry
import Testing

@Suite("Reading a run")
struct RunReaderTests {
  private let run = RunID(stored: "run-1")

  private func producer(_ id: String, rank: UInt32? = nil, lastStep: UInt64? = 9) -> ProducerRecord
  {
    ProducerRecord(
      producer: Producer(id: ProducerID(stored: id), rank: rank),
      lastStep: lastStep
    )
  }

  // MARK: Opening

  @Test("the producer of the lowest rank leads, then the first by identifier, then the unranked")
  func lead() throws {
    let cases: [([ProducerRecord], String)] = [
      ([producer("a", rank: 3), producer("b", rank: 1), producer("c", rank: 2)], "b"),
      ([producer("b", rank: 0), producer("a", rank: 0)], "a"),
      ([producer("a"), producer("b", rank: 7)], "b"),
      ([producer("b"), producer("a")], "a"),
    ]
    for (producers, expected) in cases {
      let reader = try RunReader(run: run, store: try FakeRunStore.run(producers))
      #expect(reader.producer.rawValue == expected)
    }
  }

  @Test("a producer that is named is read, whatever its rank")
  func named() throws {
    let store = try FakeRunStore.run([producer("a", rank: 0), producer("b", rank: 1)])
    let reader = try RunReader(run: run, producer: ProducerID(stored: "b"), store: store)
    #expect(reader.producer.rawValue == "b")
    #expect(reader.run.run == run)
    #expect(reader.model.layers.map(\.name) == ["hidden"])
  }

  @Test("an unknown run, an unknown producer and a run without any are errors that say so")
  func unknown() throws {
    let store = try FakeRunStore.run([producer("a")])
    let other = RunID(stored: "run-2")
    #expect(throws: QueryError.store(.unknownRun(other))) {
      try RunReader(run: other, store: store)
    }
    let stranger = ProducerID(stored: "z")
    #expect(throws: QueryError.store(.unknownProducer(run, stranger))) {
      try RunReader(run: run, producer: stranger, store: store)
    }
    let silent = try FakeRunStore.run([])
    #expect(throws: QueryError.noProducer(run)) { try RunReader(run: run, store: silent) }
    #expect(QueryError.noProducer(run).description == "run run-1: no producer is registered")
    #expect(
      QueryError.store(.unknownRun(other)).description
        == RunStoreError.unknownRun(other).description
    )
  }

  @Test("steps are cut to those that the chosen producer has")
  func stepsWithin() throws {
    let store = try FakeRunStore.run([
      producer("a", lastStep: 50), producer("b", lastStep: 90), producer("c", lastStep: nil),
    ])
    func steps(_ id: String, _ request: ClosedRange<UInt64>) throws -> ClosedRange<UInt64>? {
      try RunReader(run: run, producer: ProducerID(stored: id), store: store)
        .steps(within: request)
    }
    #expect(try steps("a", 0...Step.maximum) == 0...50)
    #expect(try steps("b", 0...Step.maximum) == 0...90)
    #expect(try steps("a", 10...20) == 10...20)
    #expect(try steps("a", 50...60) == 50...50)
    #expect(try steps("a", 51...60) == nil)
    #expect(try steps("c", 0...Step.maximum) == nil)
  }

  // MARK: Series

  private func reader(slices: [SeriesSlice]) throws -> RunReader {
    var store = try FakeRunStore.run()
    store.slices = slices
    return try RunReader(run: run, store: store)
  }

  private let slices = [
    SeriesSlice(steps: [0, 1, 2], values: [10, .nan, 12]),
    SeriesSlice(steps: [3, 5], values: [13, -15]),
    SeriesSlice(steps: [8, 9], values: [18, .infinity]),
  ]

  @Test("a series is downsampled across the store's slices")
  func series() throws {
    let series = try reader(slices: slices)
      .series(.gradientNorm, of: [0, 2], steps: 0...9, maximumPoints: 2)
    #expect(series.map(\.index) == [0, 2])
    #expect(series.first?.points == series.last?.points)
    let points = try #require(series.first?.points)
    #expect(points.steps == [0, 5])
    #expect(points.lastSteps == [3, 9])
    #expect(points.min == [10, -15])
    #expect(points.max == [13, 18])
    #expect(points.last == [13, .infinity])
    #expect(points.count == [4, 3])
    #expect(points.nonFiniteCount == [1, 1])
  }

  @Test("series come in the order in which they are asked for, and the store is asked in its own")
  func seriesOrder() throws {
    var reports = slices.flatMap(\.steps).map {
      StepReport(sequence: $0 + 1, scalars: StepScalars(step: $0, wallTime: WallTime(clamping: 0)))
    }
    for index in reports.indices { reports[index].gradients.norm = [0, 1, 2].map { Float($0) } }
    var store = try FakeRunStore.run()
    store.reports = reports
    let series = try RunReader(run: run, store: store)
      .series(.gradientNorm, of: [2, 0, 1], steps: 0...9, maximumPoints: 1)
    #expect(series.map(\.index) == [2, 0, 1])
    #expect(series.map(\.points.last) == [[2], [0], [1]])
  }

  @Test("pages follow each other without a loss, and an empty one is the end")
  func pages() throws {
    let reader = try reader(slices: slices)
    var steps: [UInt64] = []
    var sizes: [Int] = []
    var next: UInt64 = 0
    while true {
      let page = try reader.page(.gradientNorm, of: 0, steps: next...9, size: 4)
      #expect(page.steps.count == page.values.count)
      sizes.append(page.steps.count)
      guard let last = page.steps.last, last < 9 else { break }
      steps += page.steps
      next = last + 1
    }
    #expect(steps == [0, 1, 2, 3, 5])
    #expect(sizes == [5, 2])
    #expect(try reader.page(.gradientNorm, of: 0, steps: 10...20, size: 4) == SeriesSlice())
  }

  @Test("a page ends with the slice that fills it")
  func pageSize() throws {
    let reader = try reader(slices: slices)
    for (size, expected) in [(1, 3), (3, 3), (4, 5), (5, 5), (6, 7), (100, 7)] {
      let page = try reader.page(.gradientNorm, of: 0, steps: 0...9, size: size)
      #expect(page.steps.count == expected, "size \(size)")
    }
  }

  @Test("what the store can't read is passed on by every query")
  func failures() throws {
    var store = try FakeRunStore.run()
    let damaged = RunStoreError.damaged(place: "chunk 3", detail: "checksum mismatch")
    store.failure = damaged
    let reader = try RunReader(run: run, store: store)
    #expect(throws: QueryError.store(damaged)) {
      try reader.series(.gradientNorm, of: [0], steps: 0...9, maximumPoints: 2)
    }
    #expect(throws: QueryError.store(damaged)) {
      try reader.page(.gradientNorm, of: 0, steps: 0...9, size: 2)
    }
    #expect(throws: QueryError.store(damaged)) {
      try reader.stepSeries(.loss, steps: 0...9, maximumPoints: 2) { _ in true }
    }
    #expect(throws: QueryError.store(damaged)) {
      try reader.stepPage(.loss, steps: 0...9, size: 2) { _ in true }
    }
    #expect(throws: QueryError.store(damaged)) {
      try reader.histograms(of: [0], steps: 0...9, maximumPoints: 2) { _, _ in true }
    }
  }
}
