import Telemetry

/// How the gradient of a recurrent layer changes on its way back through time.
struct TimeProfile: Sendable {
  /// The layer.
  let layer: UInt32
  /// log10 of the first quarter's median norm divided by the last quarter's largest; negative where
  /// the gradient shrinks on its way to the first time steps.
  let decades: Double
  /// The number of time steps between the first and the last position.
  let horizon: UInt32

  /// An exact 0 is taken for the smallest float, so that it counts as lost.
  private static let smallest = 1.4e-45
  /// Fewer positions show no profile.
  private static let leastPositions = 4

  /// Looks at one layer's norms; `nil` if there are too few, or one is not finite.
  init?(_ norms: TimeStepNorms) {
    guard norms.norms.count >= Self.leastPositions, norms.norms.allSatisfy(\.isFinite),
      let first = norms.positions.first, let last = norms.positions.last, last > first
    else { return nil }
    let quarter = max(1, norms.norms.count / 4)
    let early = norms.norms.prefix(quarter).sorted()[quarter / 2]
    let late = norms.norms.suffix(quarter).max() ?? 0
    guard late > 0 else { return nil }
    layer = norms.layer
    decades = decimalLog(max(Double(early), Self.smallest) / Double(late))
    horizon = last - first
  }

  /// The profiles of a report.
  static func all(_ step: StepContext) -> [TimeProfile] {
    step.report.timeStepNorms.compactMap { TimeProfile($0) }
  }
}
