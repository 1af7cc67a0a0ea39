/// Finds the step at which one layer's, or one loss's, values of two runs part.
///
/// What is looked at is x = ln(a / b), at each common step, against a band around where x usually is:
///
/// - Runs that *begin alike* (the same seed) have the band ±bound around 0, so that a slow drift is found
///   once it has reached the bound.
/// - Runs that *begin apart* (another seed or initialization) have a level of their own, the median of
///   the first ``learningSteps`` steps. The band reaches from there to 0, for runs that come together
///   don't part, and twice the bound beyond both. A level that is itself further from 0 than twice the
///   bound is a parting where it begins, mostly the first step.
/// - In both the bound is at least three times the mean change of x from one step to the next: the noise
///   of small batches, by which two healthy runs always differ. A change from step to step knows nothing
///   of a drift, so that a drift does not widen the band that is to find it. It counts up to four times
///   the bound: what jumps further at every step explodes.
///
/// Outside of the band for `persistence` common steps in a row, x has left it at the first of them. NaN or
/// infinity against a finite value needs no second step; against another of them it says nothing.
///
/// A pure value: O(1) a step, and memory for ``learningSteps`` steps.
package struct PartingDetector: Sendable {
  /// Steps from which the level of runs that begin apart is learned.
  package static let learningSteps = 16
  /// |x| at the first step up to which runs begin alike: what the order of additions alone may do.
  static let alikeLogRatio = 0.01
  private static let noiseFactor = 3.0
  /// Steps over which the mean change of x is taken.
  private static let noiseSteps = 32.0

  /// Where they part; `nil`: nowhere so far.
  package private(set) var parting: Parting?

  private let bound: Double
  private let persistence: Int
  private var beginsAlike = true
  /// The measurements of the learning time, of runs that begin apart.
  private var learning: [(parting: Parting, logRatio: Double)] = []
  /// Where x usually is; `nil` while it is learned.
  private var level: Double? = 0
  private var last: Double?
  private var meanChange = 0.0
  private var changes = 0.0
  private var streak: (parting: Parting, count: Int)?

  /// Makes a detector of runs that begin alike.
  ///
  /// - Parameters:
  ///   - bound: How far x may go; above 0.
  ///   - persistence: The common steps in a row that it must be further, at least 1.
  package init(bound: Double, persistence: Int) {
    self.bound = bound
    self.persistence = persistence
  }

  /// Says, before the first measurement, that the runs begin apart.
  package mutating func beginApart() {
    beginsAlike = false
    level = nil
  }

  /// Takes the values of the next common step.
  ///
  /// - Parameters:
  ///   - step: The step; ascending.
  ///   - a: Run a's value; `nil`: not measured.
  ///   - b: Run b's value; likewise.
  ///   - presenceDiffers: Whether one run measured a part of it that the other did not.
  package mutating func add(step: UInt64, a: Double?, b: Double?, presenceDiffers: Bool = false) {
    guard parting == nil else { return }
    var now = Parting(kind: .ratio, step: step, a: a, b: b, usualLogRatio: level ?? 0, band: band)
    var logRatio = Double.infinity
    if presenceDiffers || (a == nil) != (b == nil) {
      now.kind = .presence
    } else {
      guard let a, let b else { return }
      switch (a.isFinite, b.isFinite) {
      case (true, true): logRatio = LogRatio.of(a, b)
      case (false, false): return
      default:
        now.kind = .nonFinite
        // It may have been on its way there for some steps.
        finish()
        parting = parting ?? streak?.parting ?? now
        return
      }
    }
    guard let level else { return learn(now, logRatio) }
    let distance = Parting.distance(of: logRatio, fromUsual: level)
    guard distance > (streak?.parting.band ?? now.band) else {
      streak = nil
      note(logRatio)
      return
    }
    // The band is that of before the streak: what is looked for must not widen it.
    streak = (streak?.parting ?? now, (streak?.count ?? 0) + 1)
    if let streak, streak.count >= persistence { parting = streak.parting }
  }

  /// Says that there are no more finite values: a level that is still being learned is judged.
  package mutating func finish() {
    guard parting == nil, level == nil, learning.count >= persistence else { return }
    judgeLevel()
  }

  private var band: Double {
    let noise = Swift.min(Self.noiseFactor * meanChange, 4 * bound)
    return Swift.max(beginsAlike ? bound : 2 * bound, noise)
  }

  private mutating func learn(_ now: Parting, _ logRatio: Double) {
    learning.append((now, logRatio))
    note(logRatio)
    if learning.count == Self.learningSteps { judgeLevel() }
  }

  private mutating func judgeLevel() {
    let sorted = learning.map(\.logRatio).sorted()
    let (lower, upper) = (sorted[(sorted.count - 1) / 2], sorted[sorted.count / 2])
    // The same whichever run is a; one of the two may be infinite, or both.
    let median = lower == upper ? lower : lower == -upper ? 0 : lower / 2 + upper / 2
    let band = band
    if median.magnitude > band {
      // Two runs that explode, each at its own pace, may be close at first.
      let far = learning.map { $0.logRatio.magnitude > band }
      let first = far.indices.first { start in
        far[start...].prefix(persistence).count { $0 } == persistence
      }
      parting = (first ?? far.firstIndex(of: true)).map { learning[$0].parting }
      parting?.band = band
    }
    level = median
    learning = []
  }

  /// Takes a value that is within the band into the mean change.
  private mutating func note(_ logRatio: Double) {
    guard logRatio.isFinite else { return }
    if let last {
      changes = Swift.min(changes + 1, Self.noiseSteps)
      meanChange += ((logRatio - last).magnitude - meanChange) / changes
    }
    last = logRatio
  }
}
