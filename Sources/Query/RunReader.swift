public import RunStore
public import Telemetry

/// Answers questions about one run: selects, downsamples and merges what the store has.
///
/// Blocks the calling thread, as the store does. Memory follows the answer: a page of a series at full
/// resolution, or the points asked for.
public struct RunReader: Sendable {
  /// The run.
  public let run: RunRecord
  /// Its model.
  public let model: Model
  /// The producer whose reports are read.
  public let producer: ProducerID

  let store: any RunStore
  /// The first step that the producer has; `nil` if it has none, or that is not known.
  private let firstStep: UInt64?

  /// Opens a run.
  ///
  /// - Parameters:
  ///   - run: The run.
  ///   - producer: The producer; `nil`: the one with the lowest rank, then the first by identifier.
  ///   - store: Where the run lives.
  /// - Throws: ``QueryError`` if the run or the producer is unknown.
  public init(
    run: RunID,
    producer: ProducerID? = nil,
    store: any RunStore
  ) throws(QueryError) {
    self.store = store
    do throws(RunStoreError) {
      guard let record = try store.run(run), let model = try store.model(of: run) else {
        throw RunStoreError.unknownRun(run)
      }
      self.run = record
      self.model = model
      if let producer, !record.producers.contains(where: { $0.producer.id == producer }) {
        throw RunStoreError.unknownProducer(run, producer)
      }
    } catch {
      throw .store(error)
    }
    let lead = self.run.producers.map(\.producer)
      .min { ($0.rank ?? .max, $0.id) < ($1.rank ?? .max, $1.id) }
    guard let chosen = producer ?? lead?.id else { throw .noProducer(run) }
    self.producer = chosen
    // If that can't be read, what is asked for tells why.
    firstStep = (try? store.firstStep(of: run, producer: chosen)) ?? nil
  }

  /// The steps of a request, cut to those that this producer has; `nil` if it has none of them.
  public func steps(within request: ClosedRange<UInt64>) -> ClosedRange<UInt64>? {
    let last = run.producers.first { $0.producer.id == producer }?.lastStep
    let first = Swift.max(request.lowerBound, firstStep ?? 0)
    guard let last, first <= Swift.min(request.upperBound, last) else { return nil }
    return first...Swift.min(request.upperBound, last)
  }

  /// One metric of some tensors or layers, at most `maximumPoints` points each; those without any measurement are left out.
  ///
  /// - Parameters:
  ///   - metric: The metric.
  ///   - indices: The tensors or layers, each once; memory follows their number.
  ///   - steps: The steps.
  ///   - maximumPoints: The most points of each.
  /// - Returns: The points by index, in the order of `indices`.
  /// - Throws: ``QueryError/store(_:)`` if the store can't read.
  public func series(
    _ metric: Metric,
    of indices: [UInt32],
    steps: ClosedRange<UInt64>,
    maximumPoints: Int
  ) throws(QueryError) -> [(index: UInt32, points: SeriesPoints)] {
    var downsamplers = indices.map { _ in
      Downsampler(steps: steps, maximumPoints: maximumPoints)
    }
    try points(metric, of: indices, steps: steps, maximumPoints: maximumPoints, .all) {
      downsamplers[$0].add($1)
    }
    return zip(indices, downsamplers).compactMap { index, downsampler in
      let points = downsampler.finish()
      return points.steps.isEmpty ? nil : (index, points)
    }
  }

  /// The rows of a heatmap, in the order of `indices`; those without any measurement are left out.
  ///
  /// - Parameters:
  ///   - metric: The metric.
  ///   - indices: The tensors or layers, each once; memory follows their number.
  ///   - steps: The steps that the grid was made of.
  ///   - grid: The columns.
  ///   - statistic: What a cell shows.
  /// - Returns: The rows.
  /// - Throws: ``QueryError/store(_:)`` if the store can't read.
  public func rows(
    _ metric: Metric,
    of indices: [UInt32],
    steps: ClosedRange<UInt64>,
    _ grid: HeatmapGrid,
    _ statistic: SeriesPoints.Statistic
  ) throws(QueryError) -> [HeatmapGrid.Row] {
    var cells = grid.cells(rows: indices.count)
    try points(
      metric,
      of: indices,
      steps: steps,
      maximumPoints: grid.firstSteps.count,
      SeriesPoints.Statistics(statistic)
    ) {
      cells.add($1, row: $0)
    }
    return indices.enumerated().compactMap { cells.row($0, of: $1, statistic) }
  }

  /// Calls `body` with the parts of some series, no finer than need be, and the place of each in `indices`.
  private func points(
    _ metric: Metric,
    of indices: [UInt32],
    steps: ClosedRange<UInt64>,
    maximumPoints: Int,
    _ statistics: SeriesPoints.Statistics,
    _ body: (_ place: Int, SeriesPart) -> Void
  ) throws(QueryError) {
    let ascending = indices.indices.sorted { indices[$0] < indices[$1] }
    let selection = PointSelection(
      run: run.run,
      producer: producer,
      metric: metric,
      indices: ascending.map { indices[$0] },
      steps: steps,
      maximumSpan: Downsampler.maximumSpan(steps: steps, maximumPoints: maximumPoints),
      statistics: statistics
    )
    do throws(RunStoreError) {
      // Parts come in ascending order, over and over again, so the next place is mostly that behind the last one.
      var next = 0
      try store.readPoints(selection) { index, part in
        let isNext = selection.indices[next] == index
        guard let rank = isNext ? next : selection.indices.firstIndex(of: index) else {
          return true
        }
        body(ascending[rank], part)
        next = (rank + 1) % ascending.count
        return true
      }
    } catch {
      throw .store(error)
    }
  }

  /// One metric of one tensor or layer, every measurement from the range's start up to about `size`.
  ///
  /// The next page begins after the last step of this one; an empty page is the end.
  public func page(
    _ metric: Metric,
    of index: UInt32,
    steps: ClosedRange<UInt64>,
    size: Int
  ) throws(QueryError) -> SeriesSlice {
    var page = SeriesSlice()
    // What the store has at once may be added to what is just short of the size.
    let most = Swift.min(UInt64(size) + 256, steps.upperBound - steps.lowerBound + 1)
    page.steps.reserveCapacity(Int(most))
    page.values.reserveCapacity(Int(most))
    let selection = SeriesSelection(
      run: run.run,
      producer: producer,
      metric: metric,
      index: index,
      steps: steps
    )
    do throws(RunStoreError) {
      try store.readSeries(selection) { slice in
        page.steps += slice.steps
        page.values += slice.values
        return page.steps.count < size
      }
    } catch {
      throw .store(error)
    }
    return page
  }

  /// Every measurement of one metric of some tensors or layers.
  ///
  /// - Parameters:
  ///   - metric: The metric.
  ///   - indices: The tensors or layers, each once.
  ///   - steps: The steps, both ends included.
  ///   - body: Called with measurements, those of one index in step order.
  /// - Throws: ``QueryError/store(_:)`` if the store can't read.
  public func measurements(
    _ metric: Metric,
    of indices: [UInt32],
    steps: ClosedRange<UInt64>,
    _ body: (_ index: UInt32, SeriesSlice) -> Void
  ) throws(QueryError) {
    let selection = PointSelection(
      run: run.run,
      producer: producer,
      metric: metric,
      indices: indices,
      steps: steps,
      maximumSpan: 1
    )
    do throws(RunStoreError) {
      try store.readPoints(selection) { index, part in
        if case .measurements(let slice) = part { body(index, slice) }
        return true
      }
    } catch {
      throw .store(error)
    }
  }

  /// What the producer said of its steps as a whole, of the first `size` steps of a range.
  public func scalars(
    steps: ClosedRange<UInt64>,
    size: Int
  ) throws(QueryError) -> [StepScalars] {
    var page: [StepScalars] = []
    do throws(RunStoreError) {
      try store.readScalars(of: run.run, producer: producer, steps: steps) { scalars in
        page.append(scalars)
        return page.count < size
      }
    } catch {
      throw .store(error)
    }
    return page
  }

  /// One metric of the step as a whole, at most `maximumPoints` points a series.
  ///
  /// - Parameters:
  ///   - metric: The metric.
  ///   - steps: The steps.
  ///   - maximumPoints: The most points of each.
  ///   - isWanted: Whether to read the series of a name; memory follows their number.
  /// - Returns: The series that have a value, in the order in which they first have one.
  /// - Throws: ``QueryError/store(_:)`` if the store can't read.
  public func stepSeries(
    _ metric: StepMetric,
    steps: ClosedRange<UInt64>,
    maximumPoints: Int,
    where isWanted: (String) -> Bool
  ) throws(QueryError) -> [(name: String, points: SeriesPoints)] {
    var series = NamedSeries<Downsampler>()
    let span = Downsampler.maximumSpan(steps: steps, maximumPoints: maximumPoints)
    try read(metric, steps: steps, maximumSpan: span) { piece in
      for one in piece.series where isWanted(one.name) {
        series.change(one.name, from: Downsampler(steps: steps, maximumPoints: maximumPoints)) {
          $0.add(one.part)
        }
      }
      return true
    }
    return series.all.map { ($0.name, $0.value.finish()) }
  }

  /// One metric of the step as a whole, every measurement from the range's start up to about `size` steps.
  ///
  /// - Parameters:
  ///   - metric: The metric.
  ///   - steps: The steps.
  ///   - size: The number of steps that end the page, also if they have no value.
  ///   - isWanted: Whether to read the series of a name.
  /// - Returns: The series, in the order in which they first have a value here, and the step at which the next page begins; `nil`
  ///   if there is no more.
  /// - Throws: ``QueryError/store(_:)`` if the store can't read.
  public func stepPage(
    _ metric: StepMetric,
    steps: ClosedRange<UInt64>,
    size: Int,
    where isWanted: (String) -> Bool
  ) throws(QueryError) -> (series: [(name: String, slice: SeriesSlice)], next: UInt64?) {
    var series = NamedSeries<SeriesSlice>()
    var count = 0
    var next: UInt64?
    try read(metric, steps: steps, maximumSpan: 1) { piece in
      for one in piece.series where isWanted(one.name) {
        guard case .measurements(let slice) = one.part else { continue }
        series.change(one.name, from: SeriesSlice()) {
          $0.steps += slice.steps
          $0.values += slice.values
        }
      }
      count += piece.rowCount
      guard count >= size else { return true }
      if piece.lastStep < steps.upperBound { next = piece.lastStep + 1 }
      return false
    }
    return (series.all.map { ($0.name, $0.value) }, next)
  }

  private func read(
    _ metric: StepMetric,
    steps: ClosedRange<UInt64>,
    maximumSpan: UInt64,
    _ body: (StepSeriesPiece) -> Bool
  ) throws(QueryError) {
    do throws(RunStoreError) {
      try store.readStepSeries(
        StepSeriesSelection(
          run: run.run,
          producer: producer,
          metric: metric,
          steps: steps,
          maximumSpan: maximumSpan
        ),
        body
      )
    } catch {
      throw .store(error)
    }
  }
}
