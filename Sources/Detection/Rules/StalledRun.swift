import Telemetry

/// No report came for too long: L7.
///
/// The bound is the larger of 60 s (a checkpoint or an evaluation takes that long) and ten times
/// the usual interval. A longer pause that ended by itself is learned, up to 30 minutes, SageMaker
/// Debugger's bound for StalledTraining: a run that evaluates for ten minutes every epoch warns
/// once.
struct StalledRun: Rule {
  static let id = RuleID("stalled_run")
  static let summary = "No report came for 60 s and for ten times the usual interval"
  static let policy = AlertPolicy(.none, cleanEvaluations: 1)

  private static let leastSeconds = Threshold(
    "least_seconds",
    60,
    in: 1...1e7,
    "seconds without a report; a checkpoint or an evaluation takes that long"
  )
  private static let intervals = Threshold(
    "intervals",
    10,
    in: 1...1e6,
    "times the usual interval between reports"
  )
  static let thresholds = [leastSeconds, intervals]
  private static let mostLearnedSeconds = 1800.0
  /// A learned pause may last half as long again.
  private static let pauseSlack = 1.5
  /// Weight of a new interval in ``usual``; a pause counts as three usual ones at most.
  private static let weight = 0.1
  private static let largestInterval = 3.0

  private let tuning: Tuning
  private var reports: UInt64 = 0
  private var lastReceived = WallTime(clamping: 0)
  /// An average of the seconds between reports.
  private var usual = 0.0
  /// The longest pause that ended by itself, in seconds.
  private var longestPause = 0.0
  private var isFinished = false
  /// The first tick of this instance; not stored, so that a collector that was down wakes nobody.
  private var firstTick: WallTime?
  private var silence = 0.0

  init(_ anatomy: Anatomy, _ tuning: Tuning) { self.tuning = tuning }

  private var bound: Double {
    max(
      tuning[Self.leastSeconds],
      tuning[Self.intervals] * usual,
      min(Self.pauseSlack * longestPause, Self.mostLearnedSeconds)
    )
  }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    if reports > 0 {
      let interval = max(0, step.time.seconds(since: lastReceived))
      let capped = reports > 1 ? min(interval, max(1, Self.largestInterval * usual)) : interval
      usual += max(Self.weight, 1 / Double(reports)) * (capped - usual)
      longestPause = max(longestPause, interval)
    }
    reports &+= 1
    lastReceived = max(lastReceived, step.time)
    isFinished = false
    return []
  }

  mutating func tick(at now: WallTime, after step: StepContext) -> [Finding]? {
    let since = max(lastReceived, firstTick ?? now)
    if firstTick == nil { firstTick = now }
    guard reports > 1, !isFinished else { return nil }
    silence = now.seconds(since: since)
    guard silence > bound else { return nil }
    return [Finding(scope: .run, met: .warning, held: .warning)]
  }

  mutating func finish() -> [Finding]? {
    isFinished = true
    return []
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    Diagnosis(
      summary: "no report for \(text(silence)) s after step \(step.number); "
        + "usual are \(text(usual)) s between reports",
      cause: "the training process hangs, was stopped, or can't reach the collector",
      confidence: 0.8,
      evidence: Evidence(
        quantity: "seconds without a report",
        observed: silence,
        baseline: usual,
        threshold: bound,
        firstStep: step.number,
        lastStep: step.number
      ),
      remedies: [
        Remedy(
          action: "look whether the process lives and uses its accelerator",
          reason: "a rank that waits for another one, or for data, shows no error"
        ),
        Remedy(
          action: "look at the client's log for connection errors",
          reason: "training goes on without the collector; its reports then wait in the client"
        ),
      ]
    )
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&reports)
    try coder.code(&lastReceived)
    try coder.code(&usual)
    try coder.code(&longestPause)
    try coder.code(&isFinished)
    try coder.code(&silence)
  }
}
