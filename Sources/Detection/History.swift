import Telemetry

/// What a producer's reports were like up to now; the baselines that rules share.
struct History: Sendable {
  /// Finite global norms since the baselines were armed.
  private(set) var samples: UInt64 = 0
  /// The first of them.
  private var firstNorms = FirstValues()
  /// The last finite global norm since the baselines were armed.
  private(set) var lastNorm: Double?
  /// The highest one since then.
  private(set) var highestNorm = 0.0
  /// The average of ln(global norm) over about 5 reports.
  private(set) var fast = 0.0
  /// The average of ln(global norm) over about 100 reports.
  private(set) var slow = 0.0
  /// The highest ``slow`` since the baselines were armed.
  private(set) var highestSlow = -Double.infinity
  /// The last loss, finite or not.
  private(set) var lastLoss: Double?
  /// The loss.
  private(set) var loss = LossHistory()
  /// The last learning rate.
  private(set) var learningRate: Double?
  /// The last update of all parameters that was measured, and the learning rate and gradient that it was made
  /// with.
  private var update: Double?
  private var updateRate: Double?
  private var updateNorm: Double?
  /// The last step's learning rate.
  private var lastRate: Double?
  /// When the learning rate rose as much as that last; `nil`: never.
  private(set) var rateRise: RateRise?
  /// Whether the learning rate has been rising ever since the run began.
  private(set) var isRateRising = false
  /// Reports in a row in which it did not rise.
  private var restingReports: UInt64 = 0
  /// When the last reports came.
  private(set) var moments = RecentMoments()
  /// Whether the batch changed with the last report: its size, or what it reaches.
  private(set) var isBatchBreak = false
  /// The last batch size.
  private(set) var batchSize: UInt64?
  /// The number of tensors that had a gradient in the last report.
  private(set) var presentCount: UInt64?
  /// The last finite global norms.
  private(set) var recentNorms = Recent()
  /// The last losses.
  private(set) var recentLosses = Recent()
  /// For each tensor, an average of its gradient norm over about 50 reports; NaN before the first.
  private(set) var usualNorms: [Float]
  /// For each tensor, the first finite parameter norm; NaN before it.
  private(set) var initialParameterNorms: [Float]
  /// For each tensor, the last parameter norm that can be true; NaN before the first.
  private(set) var sizes: [Float]
  /// The last step with parameter norms since the baselines were armed.
  private(set) var measuredStep: UInt64?
  /// For each tensor, the norms of the parameter and of its update at that step; NaN if not known.
  private(set) var measuredNorms: [Float]
  private(set) var measuredUpdates: [Float]

  /// Weight of a new norm in ``fast`` and ``slow``, and of a tensor's norm in ``usualNorms``.
  private static let fastWeight = 0.2
  private static let slowWeight = 0.01
  /// Reports at the same rate after which a warm-up is over; rates that rise once an epoch rest less.
  private static let mostResting: UInt64 = 20
  private static let usualWeight: Float = 0.02
  /// A parameter norm that grows more than this in one report is a flipped bit or a bad checkpoint.
  private static let mostGrowth: Float = 100
  /// ln 30: one norm moves ``fast`` by no more than if it were 30 times the usual.
  private static let largestRise = 3.4

  /// Starts without any history.
  init(tensorCount: Int) {
    usualNorms = Array(repeating: .nan, count: tensorCount)
    initialParameterNorms = usualNorms
    sizes = usualNorms
    measuredNorms = usualNorms
    measuredUpdates = usualNorms
  }

  /// Notes the settings of the next report before rules see it.
  ///
  /// - Returns: Whether they changed so much that baselines from before mean nothing: learning rate
  ///   or batch size by more than a factor of two, or a quarter more or fewer tensors with
  ///   gradients.
  mutating func adopt(
    _ scalars: StepScalars,
    presentCount present: UInt64?,
    receivedAt time: WallTime
  ) -> Bool {
    moments.append(Moment(step: scalars.step, time: time))
    var isBreak = false
    isBatchBreak = false
    if let rate = scalars.learningRate {
      if let before = learningRate {
        takeRise(rate > before * (1 + 1e-6), didFall: rate < before * (1 - 1e-6))
        // A tenth more than the factor, because a linear warm-up doubles exactly at first.
        if max(rate, before) > 2.1 * min(rate, before) { isBreak = true }
        if before > 0, rate > 2.1 * before, !isRateRising, scalars.phase != .warmup {
          rateRise = RateRise(step: scalars.step, from: before, to: rate)
        }
      }
      learningRate = rate
    }
    if let size = scalars.batchSize {
      if let before = batchSize, Self.differs(size, before, by: 2) { isBatchBreak = true }
      batchSize = size
    }
    if let present {
      // A quarter, because experts come and go from step to step, and unfreezing adds more.
      if let before = presentCount, Self.differs(present, before, by: 1.25) {
        isBatchBreak = true
      }
      presentCount = present
    }
    isBreak = isBreak || isBatchBreak
    if isBreak { arm() }
    return isBreak
  }

  /// Follows the warm-up: it ends with the first fall, or when the rate has rested.
  ///
  /// A rate that rises later (a cycle, a schedule gone wrong) is judged as any other: losses and
  /// norms then have a history to be held against.
  private mutating func takeRise(_ isRise: Bool, didFall: Bool) {
    guard restingReports < Self.mostResting else { return }
    restingReports = didFall ? Self.mostResting : isRise ? 0 : restingReports &+ 1
    isRateRising = isRise && restingReports < Self.mostResting
  }

  /// Whether the larger number is more than `factor` times the smaller one.
  private static func differs(_ one: UInt64, _ other: UInt64, by factor: Double) -> Bool {
    Double(max(one, other)) > factor * Double(min(one, other))
  }

  /// Notes the parameters before the step, where they were measured.
  mutating func adopt(parameterNorms norms: [Float]) {
    for (index, norm) in norms.enumerated() where norm.isFinite {
      if initialParameterNorms[index].isNaN { initialParameterNorms[index] = norm }
      let size = sizes[index]
      if !(size > 0) || norm <= Self.mostGrowth * size { sizes[index] = norm }
    }
  }

  /// Forgets a rise that is undone by going back to a step.
  mutating func rewind(to step: UInt64) {
    if let rise = rateRise, rise.step >= step { rateRise = nil }
    moments = RecentMoments()
  }

  /// How long the last step's update of all parameters may have been, as the last measured one tells it;
  /// `nil` if none was.
  ///
  /// An update is as the rate, and at most as the gradient.
  var reach: Double? {
    guard var update else { return nil }
    if let updateRate, let lastRate, updateRate > 0 { update *= lastRate / updateRate }
    if let updateNorm, let lastNorm, updateNorm > 0 { update *= max(1, lastNorm / updateNorm) }
    return update
  }

  /// Forgets the norms: what comes is not to be held against what was.
  mutating func arm() {
    samples = 0
    firstNorms = FirstValues()
    lastNorm = nil
    highestNorm = 0
    fast = 0
    slow = 0
    highestSlow = -.infinity
    lastLoss = nil
    measuredStep = nil
    for index in usualNorms.indices {
      (usualNorms[index], measuredNorms[index], measuredUpdates[index]) = (.nan, .nan, .nan)
    }
  }

  /// Takes the report that the rules have just seen.
  mutating func take(_ step: StepContext) {
    if let value = step.loss {
      recentLosses.append(step: step.number, value)
      if value.isFinite, !step.isSkipped { loss.take(value) }
      lastLoss = value
    }
    if !step.report.parameters.norm.isEmpty {
      measuredStep = step.number
      for index in measuredNorms.indices {
        measuredNorms[index] = step.parameterNorms[index]
        measuredUpdates[index] = step.updateNorms[index]
      }
    }
    // A skipped step's gradients overflowed, and did nothing.
    guard !step.isSkipped else { return }
    lastRate = learningRate
    if let norm = step.globalNorm { take(norm, at: step.number) }
    if !step.report.parameters.updateNorm.isEmpty { takeUpdate(step.updateNorms) }
    for (index, norm) in step.norms.enumerated() where norm.isFinite {
      let usual = usualNorms[index]
      // Capped, so that a spike does not hide the next one.
      usualNorms[index] =
        usual > 0 ? usual + Self.usualWeight * (min(norm, 4 * usual) - usual) : norm
    }
  }

  private mutating func takeUpdate(_ norms: [Float]) {
    var sum = 0.0
    for norm in norms where norm.isFinite { sum += Double(norm) * Double(norm) }
    update = sum.squareRoot()
    updateRate = learningRate
    updateNorm = lastNorm
  }

  private mutating func take(_ norm: Double, at step: UInt64) {
    recentNorms.append(step: step, norm)
    samples &+= 1
    lastNorm = norm
    highestNorm = max(highestNorm, norm)
    let median = firstNorms.take(norm)
    guard norm > 0 else { return }
    let ln = naturalLog(norm)
    fast = samples == 1 ? ln : fast + Self.fastWeight * (min(ln, fast + Self.largestRise) - fast)
    let weight = max(Self.slowWeight, 1 / Double(samples))
    slow += weight * (min(ln, (samples == 1 ? ln : fast) + Self.largestRise) - slow)
    highestSlow = max(highestSlow, slow)
    if let median, FirstValues.isExtreme(highestNorm, besideMedian: median) {
      highestNorm = median
      let ln = naturalLog(median)
      (fast, slow, highestSlow) = (min(fast, ln), min(slow, ln), min(highestSlow, ln))
    }
  }

  /// Visits the stored values.
  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&samples)
    try firstNorms.code(&coder)
    try coder.code(&lastNorm)
    try coder.code(&highestNorm)
    try coder.code(&fast)
    try coder.code(&slow)
    try coder.code(&highestSlow)
    try coder.code(&lastLoss)
    try loss.code(&coder)
    try coder.code(&learningRate)
    try coder.code(&update)
    try coder.code(&updateRate)
    try coder.code(&updateNorm)
    try coder.code(&lastRate)
    let none = RateRise(step: 0, from: 0, to: 0)
    try coder.code(&rateRise, placeholder: none) { (coder, rise) throws(SnapshotError) in
      try rise.code(&coder)
    }
    try coder.code(&isRateRising)
    try coder.code(&restingReports)
    try moments.code(&coder)
    try coder.code(&batchSize)
    try coder.code(&presentCount)
    try recentNorms.code(&coder)
    try recentLosses.code(&coder)
    try coder.code(&usualNorms)
    try coder.code(&initialParameterNorms)
    try coder.code(&sizes)
    try coder.code(&measuredStep)
    try coder.code(&measuredNorms)
    try coder.code(&measuredUpdates)
  }
}
