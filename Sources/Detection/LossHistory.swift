import Telemetry

/// How far the loss has come, as other rules need it to tell a fault from a success.
struct LossHistory: Sendable {
  /// The first finite losses, until there are ``initialCount`` of them.
  private var first: [Evidence.Point] = []
  /// Their median, or the first one if that is lower.
  ///
  /// One wild first step does not move it, nor do first steps that make things worse.
  private(set) var initial = 0.0
  /// The exponential moving average.
  private(set) var fast = 0.0
  /// The smallest ``fast`` so far.
  private(set) var best = Double.infinity
  /// Finite losses so far.
  private(set) var count: UInt64 = 0
  /// Whether a loss of 0 or below was seen; ratios of such losses mean nothing.
  private(set) var hasLogScale = true

  /// Losses that make up the start.
  static let initialCount = 5
  /// The weight of a new loss in ``fast``: it follows within ten reports and forgets a noisy batch.
  static let weight = 0.1

  /// The smoothed loss divided by the first ones; `nil` before five losses or if some are negative.
  var progress: Double? {
    guard count >= UInt64(Self.initialCount), hasLogScale, initial > 0 else { return nil }
    return fast / initial
  }

  /// The smoothed loss divided by its best; `nil` as for ``progress``.
  var rise: Double? {
    guard progress != nil, best > 0 else { return nil }
    return fast / best
  }

  /// Takes a finite loss.
  mutating func take(_ loss: Double) {
    count &+= 1
    if loss < 0 { hasLogScale = false }
    if first.count < Self.initialCount {
      first.append(Evidence.Point(step: 0, value: loss))
      initial = min(first[0].value, first.map(\.value).sorted()[first.count / 2])
    }
    // Capped at ten times the average, so that one wild batch is no trend.
    let capped = hasLogScale && fast > 0 && count > 1 ? min(loss, 10 * fast) : loss
    fast += max(Self.weight, 1 / Double(count)) * (capped - fast)
    if count == UInt64(Self.initialCount) {
      // One wild first loss is not remembered as what all later ones are good beside.
      let median = first.map(\.value).sorted()[first.count / 2]
      if hasLogScale, FirstValues.isExtreme(fast, besideMedian: median) { fast = median }
      // Nobody needs them any more, and zeros take no room in a snapshot.
      first = first.map { _ in Evidence.Point(step: 0, value: 0) }
    }
    if count >= UInt64(Self.initialCount) { best = min(best, fast) }
  }

  /// Visits the stored values.
  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&first)
    try coder.code(&initial)
    try coder.code(&fast)
    try coder.code(&best)
    try coder.code(&count)
    try coder.code(&hasLogScale)
  }
}
