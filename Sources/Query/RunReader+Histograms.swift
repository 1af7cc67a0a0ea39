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
  ///   - body: Called once a point, those of one tensor in step order; returns whether to go on.
  /// - Throws: ``QueryError/store(_:)`` if the store can't read.
  public func histograms(
    of tensors: [UInt32],
    steps: ClosedRange<UInt64>,
    maximumPoints: Int?,
    from start: UInt64? = nil,
    _ body: (_ tensor: UInt32, HistogramPoint) -> Bool
  ) throws(QueryError) {
    let parts = StepParts(steps, maximumCount: maximumPoints)
    // Of the range that each tensor is in, a point for each kind of histogram that can't be merged with the others.
    var open: [UInt32: [HistogramPoint]] = [:]
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
        open[tensor] = points
        return goesOn
      }
    } catch {
      throw .store(error)
    }
    for tensor in tensors {
      guard goesOn else { return }
      goesOn = (open[tensor] ?? []).allSatisfy { body(tensor, $0) }
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
