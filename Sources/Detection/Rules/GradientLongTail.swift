import Telemetry

/// A few elements of a gradient are far beyond all others: H1.
///
/// Large elements alone are no fault (targets that are not scaled give them), nor is a wide spread
/// alone (rare words); the tail must have grown tenfold beside the middle as well.
struct GradientLongTail: Rule {
  static let id = RuleID("gradient_long_tail")
  static let summary = "A few elements of a gradient are far beyond all others"
  static let policy = AlertPolicy(.init(hits: 10, window: 20), cleanEvaluations: 20)

  private static let share = Threshold(
    "least_share",
    0.001,
    in: 0...1,
    "share of elements of 8 and more; seed 000 calls tails past 10 unhealthy, sigma is 0.01 to 1"
  )
  private static let growth = Threshold(
    "warning_growth",
    10,
    in: 1...1e9,
    "99.9 % quantile / median, beside its average over about 100 reports"
  )
  static let thresholds = [share, growth]
  private static let weight: Float = 0.01
  private static let leastSamples: Float = 20

  private let tuning: Tuning
  /// For each tensor, the average spread in octaves, and how many reports made it.
  private var spreads: [Float]
  private var samples: [Float]
  private var found: [(layer: UInt32, share: Double, growth: Double)] = []
  private var measured: [UInt32] = []

  init(_ anatomy: Anatomy, _ tuning: Tuning) {
    self.tuning = tuning
    spreads = Array(repeating: 0, count: anatomy.model.tensors.count)
    samples = spreads
  }

  mutating func arm() {
    for index in samples.indices { samples[index] = 0 }
  }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    guard !step.isSkipped, step.isScaleKnown, step.report.histograms != nil else { return nil }
    found.removeAll(keepingCapacity: true)
    measured.removeAll(keepingCapacity: true)
    let model = step.anatomy.model
    for (tensor, profile) in step.magnitudes.enumerated() {
      guard profile.hasMagnitudes, model.tensors[tensor].role != .embedding,
        tuning.watches(tensor: tensor)
      else { continue }
      let layer = model.tensors[tensor].layer
      if measured.last != layer { measured.append(layer) }
      let spread = Float(profile.spread)
      let growth = power(2, Double(spread - spreads[tensor]))
      if samples[tensor] >= Self.leastSamples, profile.largeShare > tuning[Self.share],
        growth >= tuning[Self.growth] / 2
      {
        found.append((layer, profile.largeShare, growth))
      }
      samples[tensor] = min(samples[tensor] + 1, 1e6)
      let weight = max(Self.weight, 1 / samples[tensor])
      spreads[tensor] += weight * (min(spread, spreads[tensor] + 4) - spreads[tensor])
    }
    guard !found.isEmpty else { return [] }
    let layers = Set(found.map(\.layer)).sorted()
    return Grouping.scopes(of: layers, among: Set(measured).sorted(), step.anatomy).map { scope in
      let growth = found.filter { scope.contains(layer: $0.layer) }.map(\.growth).max() ?? 0
      return Finding(
        scope: scope,
        met: growth >= tuning[Self.growth] ? .warning : nil,
        held: .warning
      )
    }
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let here = found.filter { finding.scope.contains(layer: $0.layer) }
    let worst = here.max { $0.growth < $1.growth }
    let names = step.anatomy.names(ofLayers: Set(here.map(\.layer)).sorted())
    return Diagnosis(
      summary: "the largest elements of \(names.first ?? "a layer")'s gradient are "
        + "\(text(worst?.growth ?? .nan)) times as far from the middle as they were, since step "
        + "\(first)",
      cause: "single samples or units dominate the gradient",
      confidence: 0.6,
      evidence: Evidence(
        quantity: "growth of 99.9 % quantile / median of the gradient's magnitudes",
        observed: worst?.growth ?? .nan,
        baseline: 1,
        threshold: tuning[Self.growth],
        firstStep: step.number,
        lastStep: step.number,
        layers: names,
        facts: ["share_past_8": text(worst?.share ?? .nan)]
      ),
      remedies: Setting(step).tailRemedies
    )
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {
    try coder.code(&spreads)
    try coder.code(&samples)
  }
}
