import Telemetry

/// Gradients are in float16 and run out of its range: H3.
///
/// float16 has nothing below 2^-24. A gradient whose smallest magnitude lies exactly there, with
/// many elements of exactly 0, lost those that were smaller; other zeros (dead units, masked rows)
/// leave no edge. SageMaker Debugger and the articles look at 1e-8, where float16 has no values.
struct GradientUnderflow: Rule {
  static let id = RuleID("gradient_underflow")
  static let summary = "Gradients in float16 are lost below its smallest number"
  static let policy = AlertPolicy(.init(hits: 8, window: 10), cleanEvaluations: 20)

  private static let zeros = Threshold(
    "warning_zero_share",
    0.3,
    in: 0...1,
    "share of elements of exactly 0 in a gradient that ends at 2^-24"
  )
  private static let tensors = Threshold(
    "least_tensors",
    0.5,
    in: 0...1,
    "share of the weights that show it"
  )
  static let thresholds = [zeros, tensors]
  /// log2 of float16's smallest number.
  private static let edge = -24.0
  /// The share of elements within four octaves of the edge that shows magnitudes reach down to it.
  private static let leastTiny = 0.01

  private let tuning: Tuning
  private var affected: [UInt32] = []
  private var zeroShare = 0.0

  init(_ anatomy: Anatomy, _ tuning: Tuning) { self.tuning = tuning }

  mutating func observe(_ step: StepContext) -> [Finding]? {
    guard !step.isSkipped, step.report.histograms != nil else { return nil }
    affected.removeAll(keepingCapacity: true)
    zeroShare = 0
    var measured = 0
    let model = step.anatomy.model
    for (tensor, profile) in step.magnitudes.enumerated() {
      guard profile.hasMagnitudes, model.tensors[tensor].role != .embedding,
        tuning.watches(tensor: tensor)
      else { continue }
      measured += 1
      guard profile.zeroShare >= tuning[Self.zeros], profile.least >= Self.edge,
        profile.least < Self.edge + 1, profile.tinyShare > Self.leastTiny
      else { continue }
      affected.append(model.tensors[tensor].layer)
      zeroShare = max(zeroShare, profile.zeroShare)
    }
    guard measured > 0 else { return nil }
    guard Double(affected.count) >= tuning[Self.tensors] * Double(measured) else { return [] }
    return [Finding(scope: .run, met: .warning, held: .warning)]
  }

  func diagnose(_ finding: Finding, since first: UInt64, at step: StepContext) -> Diagnosis {
    let layers = Set(affected).sorted()
    return Diagnosis(
      summary:
        "up to \(text(100 * zeroShare)) % of the gradients' elements are lost below float16's "
        + "2^-24, in \(layers.count) layers, since step \(first)",
      cause: "gradients are in float16 without a loss scale, or with one that is too small",
      confidence: 0.85,
      evidence: Evidence(
        quantity: "share of elements of exactly 0",
        observed: zeroShare,
        threshold: tuning[Self.zeros],
        firstStep: step.number,
        lastStep: step.number,
        layers: step.anatomy.names(ofLayers: layers),
        facts: step.report.scalars.lossScale.map { ["loss_scale": text($0)] } ?? [:]
      ),
      remedies: Setting.underflowRemedies
    )
  }

  mutating func code(_ coder: inout some StateCoder) throws(SnapshotError) {}
}
