import RunStore
import Telemetry
import Testing

/// What every run store must do.
///
/// An implementation gives a way to open a store at a place that stays the same for one test, and
/// runs every function on a fresh place; reopening there must find what was stored.
struct RunStoreCompat: Sendable {
  /// Opens the store; called again after the one before was closed.
  let open: @Sendable () throws -> any RunStore

  /// The run of most tests.
  let run = RunID(stored: "r1")
  /// The producer of most tests.
  let producer = ProducerID(stored: "p0")

  /// An accepted report of the run of most tests.
  func report(
    _ report: StepReport,
    producer: String = "p0",
    rewinds: Bool = false,
    snapshot: [UInt8]? = nil,
    transitions: [AlertTransition] = []
  ) -> RunChange {
    .report(
      RunChange.AcceptedReport(
        run: run,
        producer: ProducerID(stored: producer),
        report: report,
        receivedAt: Samples.time(2e9 + Double(report.sequence) / 8),
        rewinds: rewinds,
        transitions: transitions,
        snapshot: snapshot
      )
    )
  }

  /// Commits reports with sequence numbers and steps one after the other.
  func commitPlain(
    _ sequences: ClosedRange<UInt64>,
    step: UInt64,
    to store: any RunStore,
    snapshot: Bool = true
  ) throws {
    var changes = sequences.map { sequence in
      report(Samples.plain(sequence, step: step + sequence - sequences.lowerBound))
    }
    if snapshot {
      changes.append(
        .snapshot(run: run, producer: producer, sequence: sequences.upperBound, state: [1])
      )
    }
    _ = try store.commit(changes)
  }

  /// Seals until there is nothing to seal, and returns how often there was.
  @discardableResult
  func sealAll(_ store: any RunStore) throws -> Int {
    var count = 0
    while try store.sealNext() { count += 1 }
    return count
  }

  /// The steps at which a tensor's norm was measured.
  func steps(
    _ store: any RunStore,
    producer: String = "p0",
    in range: ClosedRange<UInt64> = 0...Step.maximum
  ) throws -> [UInt64] {
    var steps: [UInt64] = []
    try store.readSeries(
      SeriesSelection(
        run: run,
        producer: ProducerID(stored: producer),
        metric: .gradientNorm,
        index: 0,
        steps: range
      )
    ) { slice in
      steps += slice.steps
      return true
    }
    return steps
  }

  /// The annotations, over all pages.
  func annotations(
    _ store: any RunStore,
    producer: ProducerID? = nil,
    in steps: ClosedRange<UInt64> = 0...Step.maximum,
    pageSize: Int = 7
  ) throws -> [SteppedAnnotation] {
    var found: [SteppedAnnotation] = []
    var request = PageRequest(size: pageSize)
    repeat {
      let page = try store.annotations(
        AnnotationFilter(run: run, producer: producer, steps: steps),
        page: request
      )
      #expect(page.items.count <= pageSize)
      found += page.items.map { SteppedAnnotation(step: $0.step, annotation: $0.annotation) }
      request.after = page.next
    } while request.after != nil
    return found
  }

  /// The sequence numbers in the log.
  func logged(
    _ store: any RunStore,
    producer: String = "p0",
    after sequence: UInt64 = 0
  ) throws -> [LoggedReport] {
    var reports: [LoggedReport] = []
    try store.readLog(of: run, producer: ProducerID(stored: producer), after: sequence) {
      (logged) throws(RunStoreError) in reports.append(try logged.get())
    }
    return reports
  }

  /// Holds every series, histogram and scalar of a producer against the reference.
  func expectSame(
    _ store: any RunStore,
    _ reference: Reference,
    producer: String = "p0",
    tensors: UInt32 = 5,
    layers: UInt32 = 3,
    in steps: ClosedRange<UInt64> = 0...Step.maximum,
    _ comment: Comment
  ) throws {
    let producer = ProducerID(stored: producer)
    for metric in Metric.allCases {
      for index in 0...(metric.subject == .tensor ? tensors : layers) {
        var found: [[UInt64]] = []
        let selection = SeriesSelection(
          run: run,
          producer: producer,
          metric: metric,
          index: index,
          steps: steps
        )
        try store.readSeries(selection) { slice in
          found += zip(slice.steps, slice.values).map { [$0, $1.bitPattern] }
          return true
        }
        #expect(found == reference.series(metric, index, steps), "\(metric) \(index) \(comment)")
      }
    }
    var histograms: [UInt32: [HistogramPoint]] = [:]
    try store.readHistograms(
      of: run,
      producer: producer,
      tensors: Array(0...tensors),
      steps: steps,
      maximumSpan: 1
    ) {
      histograms[$0, default: []].append($1)
      return true
    }
    for tensor in 0...tensors {
      let found = histograms[tensor] ?? []
      #expect(found == reference.histograms(tensor, steps), "histograms \(tensor) \(comment)")
    }
    var found: [ScalarBits] = []
    try store.readScalars(of: run, producer: producer, steps: steps) {
      found.append(ScalarBits($0))
      return true
    }
    #expect(found == reference.scalars(steps).map(ScalarBits.init), "scalars \(comment)")
    let count = try store.stepCount(of: run, producer: producer)
    #expect(count == UInt64(reference.reports.count), "step count \(comment)")
    let first = try store.firstStep(of: run, producer: producer)
    #expect(first == reference.reports.first?.report.step, "first step \(comment)")
    #expect(
      try annotations(store, producer: producer, in: steps) == reference.annotations(steps),
      "annotations \(comment)"
    )
    var reports: [LoggedReport] = []
    var next = steps.lowerBound
    while next <= steps.upperBound {
      let page = try store.reports(of: run, producer: producer, from: next)
      guard let last = page.last else { break }
      reports += page.prefix { $0.report.step <= steps.upperBound }
      next = last.report.step + 1
    }
    let expected = reference.reports.filter { steps.contains($0.report.step) }
    #expect(reports.map(\.report.sequence) == expected.map(\.report.sequence), "reports \(comment)")
    let different = try zip(reports, expected).filter {
      try bytes(of: canonical($0)) != bytes(of: canonical($1))
    }
    #expect(different.map(\.0.report.sequence) == [], "reports \(comment)")
  }
}
