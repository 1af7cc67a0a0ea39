import RunStore
import Telemetry
import TelemetryTesting
import Testing

extension RunStoreCompat {
  func rollupsSumUpWhatTheyCover(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    var reference = Reference()
    var step: UInt64 = 0
    // Twice back: a little, and behind the first rollup.
    let rewinds: [UInt64: UInt64] = [4_600: 30, 4_700: 1_500]
    var changes: [RunChange] = []
    for sequence: UInt64 in 1...6_300 {
      let back = rewinds[sequence]
      step = back.map { step - $0 } ?? step + UInt64.random(in: 1...2, using: &random)
      var next = Samples.random(sequence, step: step, using: &random)
      // Buckets that ingest accepts: others can't be merged.
      if var column = next.histograms {
        column.positiveOffset = column.positiveOffset.map { min(max($0, -1_000), 1_000) }
        column.negativeOffset = column.negativeOffset.map { min(max($0, -1_000), 1_000) }
        next.histograms = column
      }
      reference.accept(next, receivedAt: Samples.time(0), rewinds: back != nil)
      changes.append(report(next, rewinds: back != nil))
      guard sequence % 100 == 0 || back != nil else { continue }
      _ = try store.commit(
        changes + [.snapshot(run: run, producer: producer, sequence: sequence, state: [1])]
      )
      changes = []
      if sequence % 300 == 0 { _ = try sealAll(store) }
    }
    _ = try sealAll(store)
    let last = try #require(reference.lastStep)
    for span: UInt64 in [1, 2, 40, 1 << 20] {
      for _ in 0..<2 {
        let ends = [0, UInt64.random(in: 0...last, using: &random), last + 9].shuffled(
          using: &random
        )
        let steps = min(ends[0], ends[1])...max(ends[0], ends[1])
        try expectPoints(store, reference, steps, span, "seed \(seed)", &random)
        try expectStepSeries(store, reference, steps, span, "seed \(seed)")
      }
      let isRolledUp = try points(store, .gradientNorm, [0, 4], 0...last, span).contains {
        if case .points = $1 { true } else { false }
      }
      #expect(isRolledUp == (span >= 40), "span \(span)")
    }
    try store.close()
  }

  func rollupsOfRollupsSumUpALongRun() throws {
    let store = try open()
    _ = try store.register(Samples.registration(), at: Samples.time(1))
    var sequence: UInt64 = 1
    while sequence < 70_000 {
      try commitPlain(sequence...sequence + 999, step: sequence, to: store)
      sequence += 1_000
      _ = try sealAll(store)
    }
    let parts = try points(store, .gradientNorm, [0], 5...69_990, 256).map(\.1)
    let spans = parts.map { part -> Set<UInt64> in
      guard case .points(let points) = part else { return [] }
      return Set(zip(points.steps, points.lastSteps).map { $1 - $0 + 1 })
    }
    #expect(Set(spans) == [[], [16], [256]])
    let steps = parts.flatMap { part -> [ClosedRange<UInt64>] in
      switch part {
      case .measurements(let slice): slice.steps.map { $0...$0 }
      case .points(let points): zip(points.steps, points.lastSteps).map { $0...$1 }
      }
    }
    #expect(steps.first?.lowerBound == 5 && steps.last?.upperBound == 69_990)
    #expect(zip(steps, steps.dropFirst()).allSatisfy { $0.upperBound + 1 == $1.lowerBound })
    // 273 points of 256 steps, 256 and fewer of 16, and what is left at both ends.
    #expect(steps.count < 1_000, "\(steps.count)")
    for statistic in SeriesPoints.Statistic.allCases {
      let some = try points(
        store,
        .gradientNorm,
        [0],
        5...69_990,
        256,
        SeriesPoints.Statistics(statistic)
      ).map(\.1)
      #expect(some.count == parts.count)
      for case (.points(let one), .points(let all)) in zip(some, parts) {
        #expect(one.steps == all.steps && one.lastSteps == all.lastSteps)
        #expect(one.count == all.count && one.nonFiniteCount == all.nonFiniteCount)
        for other in SeriesPoints.Statistic.allCases {
          let expected = other == statistic ? all[other] : []
          #expect(one[other].map(\.bitPattern) == expected.map(\.bitPattern))
        }
      }
    }
    try store.close()
  }

  private func points(
    _ store: any RunStore,
    _ metric: Metric,
    _ indices: [UInt32],
    _ steps: ClosedRange<UInt64>,
    _ span: UInt64,
    _ statistics: SeriesPoints.Statistics = .all
  ) throws -> [(UInt32, SeriesPart)] {
    var parts: [(UInt32, SeriesPart)] = []
    let selection = PointSelection(
      run: run,
      producer: producer,
      metric: metric,
      indices: indices,
      steps: steps,
      maximumSpan: span,
      statistics: statistics
    )
    try store.readPoints(selection) { index, part in
      parts.append((index, part))
      return true
    }
    return parts
  }

  /// Holds points and merged histograms against what they should sum up.
  private func expectPoints(
    _ store: any RunStore,
    _ reference: Reference,
    _ steps: ClosedRange<UInt64>,
    _ span: UInt64,
    _ comment: Comment,
    _ random: inout SeededGenerator
  ) throws {
    for metric in [Metric.gradientNorm, .gradientNaNCount, .updateNorm, .activationStd] {
      // In any order: a model may number tensors otherwise than by their layers.
      let indices = (metric.subject == .tensor ? [0, 1, 2, 3, 4] : [0, 2] as [UInt32])
        .shuffled(using: &random)
      let parts = try points(store, metric, indices, steps, span)
      for index in indices {
        let all = reference.series(metric, index, steps)
        let expected = zip(all.map { $0[0] }, all.map { Double(bitPattern: $0[1]) })
        let found = parts.filter { $0.0 == index }.map(\.1)
        let isSame = sumUp(found, Array(expected), span)
        #expect(isSame, "\(metric) \(index) in \(steps), span \(span), \(comment)")
      }
    }
    for tensor: UInt32 in [0, 3] {
      var found: [HistogramPoint] = []
      try store.readHistograms(
        of: run,
        producer: producer,
        tensor: tensor,
        steps: steps,
        maximumSpan: span
      ) {
        found.append($0)
        return true
      }
      let expected = reference.histograms(tensor, steps)
      #expect(found.reduce(0) { $0 + $1.mergedCount } == UInt64(expected.count))
      #expect(found.allSatisfy { $0.lastStep - $0.firstStep < span })
      #expect(merged(found) == merged(expected), "histograms of \(tensor) in \(steps) \(comment)")
    }
  }

  /// Holds what the steps have as a whole against what it should sum up.
  private func expectStepSeries(
    _ store: any RunStore,
    _ reference: Reference,
    _ steps: ClosedRange<UInt64>,
    _ span: UInt64,
    _ comment: Comment
  ) throws {
    for metric in StepMetric.allCases {
      var expected: [String: [(UInt64, Double)]] = [:]
      for scalars in reference.scalars(steps) {
        metric.forEachValue(of: scalars) { expected[$0, default: []].append((scalars.step, $1)) }
      }
      var found: [String: [SeriesPart]] = [:]
      var lastSteps: [UInt64] = []
      let selection = StepSeriesSelection(
        run: run,
        producer: producer,
        metric: metric,
        steps: steps,
        maximumSpan: span
      )
      try store.readStepSeries(selection) { piece in
        lastSteps.append(piece.lastStep)
        for one in piece.series { found[one.name, default: []].append(one.part) }
        return true
      }
      #expect(zip(lastSteps, lastSteps.dropFirst()).allSatisfy(<), comment)
      #expect(lastSteps.last == reference.scalars(steps).last?.step, comment)
      #expect(Set(found.keys) == Set(expected.keys), "\(metric), \(comment)")
      for (name, parts) in found {
        let isSame = sumUp(parts, expected[name] ?? [], span)
        #expect(isSame, "\(name) in \(steps), span \(span), \(comment)")
      }
    }
  }

  /// Whether parts sum up some measurements, none twice and none left out, and no point spans too many steps.
  private func sumUp(
    _ parts: [SeriesPart],
    _ measurements: [(step: UInt64, value: Double)],
    _ span: UInt64
  ) -> Bool {
    var rest = measurements[...]
    let isSame = parts.flatMap(summaries).allSatisfy { point in
      let covered = rest.prefix { $0.step <= point.last }
      rest = rest.dropFirst(covered.count)
      let isInside = covered.first.map { $0.step >= point.first } ?? false
      return isInside && point.last - point.first < span && point.sumsUp(covered.map(\.value))
    }
    return isSame && rest.isEmpty
  }

  private func merged(_ points: [HistogramPoint]) -> ExponentialHistogram {
    points.reduce(into: ExponentialHistogram()) { sum, point in
      if case .exponential(let histogram) = point.histogram { sum.merge(histogram) }
    }
  }

  private struct Summary {
    var (first, last): (UInt64, UInt64)
    var (count, nonFinite): (Int, Int)
    var (min, max, value): (Double, Double, Double)

    /// Whether this is what some values amount to.
    func sumsUp(_ values: [Double]) -> Bool {
      let finite = values.filter(\.isFinite)
      guard count == values.count, nonFinite == values.count - finite.count,
        value.bitPattern == values.last?.bitPattern
      else { return false }
      guard let smallest = finite.min(), let largest = finite.max() else {
        return count == 1 || min.isNaN && max.isNaN
      }
      return min == smallest && max == largest
    }
  }

  private func summaries(of part: SeriesPart) -> [Summary] {
    switch part {
    case .measurements(let slice):
      zip(slice.steps, slice.values).map { step, value in
        Summary(
          first: step,
          last: step,
          count: 1,
          nonFinite: value.isFinite ? 0 : 1,
          min: value,
          max: value,
          value: value
        )
      }
    case .points(let points):
      points.steps.indices.map { index in
        Summary(
          first: points.steps[index],
          last: points.lastSteps[index],
          count: Int(points.count[index]),
          nonFinite: Int(points.nonFiniteCount[index]),
          min: points.min[index],
          max: points.max[index],
          value: points.last[index]
        )
      }
    }
  }
}
