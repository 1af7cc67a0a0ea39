import Telemetry

/// The gradient norm varies more than it is large: R17.
///
/// Small batches do that by themselves, and it is no fault, so this is never more than info.
struct GradientNoise: Rule {
  static let id = RuleID("gradient_noise")
  static let summary = "The gradient norm varies as much as it is large"
  static let policy = AlertPolicy(.init(hits: 50, window: 60), cleanEvaluations: 100)

  private static let smallBatch = Threshold(
    "small_batch_variation",
    1,
    in: 0...1e6,
    "deviation / mean of the global norm over about 500 reports, for batches below 16"
  )
  private static let variation = Threshold(
    "variation",
    2,
    in: 0...1e6,
    "deviation / mean of the global norm over about 500 reports"
  )
  static let thresholds = [smallBatch, variation]
  private static let smallBatchSize: UInt64 = 16
  private static let leastSamples: UInt64 = 200
  private static let weight = 1.0 / 250

  private let tuning: Tuning
  private var samples: UInt64 = 0
  private var mean = 0.0
  private var square = 0.0

  init(_ anatomy: Anatomy, _ tuning: Tuning) { self.tuning = tuning }

  mutating func arm() { samples = 0 }

  private var coefficient: Double {
    mean > 0 ? max(0, square / (mean * mean) - 1).squareRoot() : 0
  }

  private func bound(_ step: StepContext) -> Double {
    let isSmall = (step.report.scalars.batchSize ?? .max) < Self.smallBatchSize
    return tuning[isSmall ? Self.smallBatch : Self.variation]
  }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    guard !step.isSkipped, step.isScaleKnown, let norm = step.globalNorm else { return nil }
    samples &+= 1
    let weight = max(Self.weight, 1 / Double(samples))
    mean += weight * (norm - mean)
    square += weight * (norm * norm - square)
    guard samples >= Self.leastSamples else { return nil }
    let bound = bound(step)
    guard coefficient >= 0.7 * bound else { return [] }
    return [Finding(scope: .run, met: coefficient >= bound ? .info : nil, held: .info)]
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    Diagnosis(
      summary: "the gradient norm varies by \(text(coefficient)) times its mean of \(text(mean))",
      cause: "few samples a step: each batch points elsewhere",
      confidence: 0.6,
      evidence: Evidence(
        quantity: "deviation / mean of the global gradient norm",
        observed: coefficient,
        threshold: bound(step),
        firstStep: step.number,
        lastStep: step.number,
        recent: step.history.recentNorms.points
      ),
      remedies: Setting(step).noiseRemedies
    )
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&samples)
    try coder.code(&mean)
    try coder.code(&square)
  }
}
