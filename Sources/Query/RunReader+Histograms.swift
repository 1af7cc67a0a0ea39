public import RunStore
import Telemetry

extension RunReader {
  /// The histograms of some tensors, each one's merged into at most `maximumPoints` ranges; `nil`: every one.
  ///
  /// - Parameters:
  ///   - tensors: The tensors' indices in the model.
  ///   - steps: The steps.
  ///   - maximumPoints: The most ranges; one whose histograms can't be merged gives more points.
  ///   - start: The step of the range's at which to begin, the first of a point; `nil`: all of them.
  ///   - maximumBytes: About the bytes that ranges which are not complete may take; with many tensors they are much of the answer.
  ///   - body: Called once a point, those of one tensor in step order; returns whether to go on.
  /// - Returns: Whether it was all that there is: neither did `body` stop it, nor were there too many bytes.
  /// - Throws: ``QueryError/store(_:)`` if the store can't read.
  @discardableResult
  public func histograms(
    of tensors: [UInt32],
    steps: ClosedRange<UInt64>,
    maximumPoints: Int?,
    from start: UInt64? = nil,
    maximumBytes: Int = .max,
    _ body: (_ tensor: UInt32, HistogramPoint) -> Bool
  ) throws(QueryError) -> Bool {
    let parts = StepParts(steps, maximumCount: maximumPoints)
    // Of the range that each tensor is in, a point for each kind of histogram that can't be merged with the others.
    var open: [UInt32: [HistogramPoint]] = [:]
    var openBytes = 0
    var goesOn = true
    do throws(RunStoreError) {
      try store.readHistograms(
        of: run.run,
        producer: producer,
        tensors: tensors,
        steps: (start ?? steps.lowerBound)...steps.upperBound,
        maximumSpan: maximumPoints.map {
          Downsampler.maximumSpan(steps: steps, maximumPoints: $0)
        } ?? 1
      ) { tensor, next in
        // Taken out, so that there are not two of them while they are changed.
        var points = open.removeValue(forKey: tensor) ?? []
        openBytes -= points.approximateBytes
        if let first = points.first,
          parts.index(of: first.firstStep) != parts.index(of: next.firstStep)
        {
          goesOn = points.allSatisfy { body(tensor, $0) }
          points = []
        }
        let candidates = points.indices.suffix(Self.kindsAtOnce)
        if !candidates.contains(where: { points[$0].merge(next) }) { points.append(next) }
        // Nothing is merged into those before them any more.
        if goesOn, points.count > Self.kindsAtOnce { goesOn = body(tensor, points.removeFirst()) }
        openBytes += points.approximateBytes
        open[tensor] = points
        goesOn = goesOn && openBytes <= maximumBytes
        return goesOn
      }
    } catch {
      throw .store(error)
    }
    return goesOn
      && tensors.allSatisfy { tensor in
        (open[tensor] ?? []).allSatisfy { body(tensor, $0) }
      }
  }

  /// A page of one tensor's histograms, merged as ``histograms(of:steps:maximumPoints:from:_:)`` does, and where the next begins.
  ///
  /// - Parameters:
  ///   - tensor: The tensor's index in the model.
  ///   - steps: The steps, of which the ranges are made whatever the page.
  ///   - maximumPoints: The most ranges; `nil`: every histogram.
  ///   - start: Where the page begins.
  ///   - isFull: Whether some points are enough; those that overlap are not parted.
  /// - Returns: The points, and the next page's start; `nil` if there is no more.
  /// - Throws: ``QueryError/store(_:)`` if the store can't read.
  public func page(
    ofHistograms tensor: UInt32,
    steps: ClosedRange<UInt64>,
    maximumPoints: Int?,
    from start: UInt64,
    isFull: ([HistogramPoint]) -> Bool
  ) throws(QueryError) -> (points: [HistogramPoint], next: UInt64?) {
    var points: [HistogramPoint] = []
    var last: UInt64?
    var next: UInt64?
    try histograms(of: [tensor], steps: steps, maximumPoints: maximumPoints, from: start) {
      _,
      point in
      // What overlaps comes of the same reports, which a page's border would give again.
      if let last, point.firstStep > last, isFull(points) {
        next = point.firstStep
        return false
      }
      points.append(point)
      last = Swift.max(last ?? 0, point.lastStep)
      return true
    }
    return (points, next)
  }

  /// The kinds of histograms that a range is looked through for one to merge with; a tensor has two forms, and hardly more bounds.
  private static let kindsAtOnce = 8
}

extension HistogramPoint {
  /// About the bytes that it takes in a message, whose counts are varints; in memory twice as many.
  public var approximateBytes: Int {
    switch histogram {
    case .exponential(let histogram):
      32 + 4 * (histogram.positive.counts.count + histogram.negative.counts.count)
    case .explicit(let histogram): 32 + 8 * histogram.bounds.count + 4 * histogram.counts.count
    }
  }
}

extension [HistogramPoint] {
  /// The same of all of them.
  fileprivate var approximateBytes: Int { reduce(0) { $0 + $1.approximateBytes } }
}
