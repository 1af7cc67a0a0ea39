import RunStore
import Telemetry

/// What a store must answer of one producer, kept in the plainest way: a list of reports.
struct Reference {
  /// The points that count, by step.
  private(set) var reports: [LoggedReport] = []
  /// The sequence number of the last report, refused ones included.
  private(set) var lastSequence: UInt64 = 0

  /// Adds an accepted report.
  mutating func accept(_ report: StepReport, receivedAt: WallTime, rewinds: Bool) {
    if rewinds { reports.removeAll { $0.report.step >= report.step } }
    reports.append(LoggedReport(report: report, receivedAt: receivedAt, rewinds: rewinds))
    lastSequence = report.sequence
  }

  /// Adds a refused report.
  mutating func refuse() { lastSequence += 1 }

  /// The step of the last report.
  var lastStep: UInt64? { reports.last?.report.step }

  /// One metric of one tensor or layer, as steps and bits.
  func series(_ metric: Metric, _ index: UInt32, _ steps: ClosedRange<UInt64>) -> [[UInt64]] {
    selected(steps).compactMap { report in
      let values = Self.values(metric, in: report)
      let indices = Self.indices(metric, in: report)
      let position = indices.isEmpty ? Int(index) : indices.firstIndex(of: index)
      guard let position, position < values.count else { return nil }
      return [report.step, values[position].bitPattern]
    }
  }

  /// One tensor's histograms.
  func histograms(_ tensor: UInt32, _ steps: ClosedRange<UInt64>) -> [HistogramPoint] {
    selected(steps).flatMap { report in
      var found: [GradientHistogram] = []
      if let column = report.histograms {
        let position =
          column.tensorIDs.isEmpty ? Int(tensor) : column.tensorIDs.firstIndex(of: tensor)
        if let position, position < column.zeroCount.count {
          found.append(.exponential(column.histograms[position]))
        }
      }
      if let column = report.explicitHistograms {
        let buckets = column.bounds.count + 1
        let position =
          column.tensorIDs.isEmpty ? Int(tensor) : column.tensorIDs.firstIndex(of: tensor)
        if let position, (position + 1) * buckets <= column.counts.count {
          let counts = Array(column.counts[position * buckets..<(position + 1) * buckets])
          found.append(.explicit(ExplicitHistogram(bounds: column.bounds, counts: counts)))
        }
      }
      return found.map { HistogramPoint(step: report.step, histogram: $0) }
    }
  }

  /// The annotations, the newest first, each with its step.
  func annotations(_ steps: ClosedRange<UInt64>) -> [SteppedAnnotation] {
    selected(steps).flatMap { report in
      report.scalars.annotations.map { SteppedAnnotation(step: report.step, annotation: $0) }
    }.reversed()
  }

  /// The scalars.
  func scalars(_ steps: ClosedRange<UInt64>) -> [StepScalars] {
    selected(steps).map(\.scalars)
  }

  private func selected(_ steps: ClosedRange<UInt64>) -> [StepReport] {
    reports.map(\.report).filter { steps.contains($0.step) }
  }

  private static func indices(_ metric: Metric, in report: StepReport) -> [UInt32] {
    switch metric {
    case .parameterNorm, .updateNorm: report.parameters.tensorIDs
    default:
      metric.subject == .layer ? report.activations.layerIDs : report.gradients.tensorIDs
    }
  }

  private static func values(_ metric: Metric, in report: StepReport) -> [Double] {
    let floats: [Float]
    switch metric {
    case .gradientNorm: floats = report.gradients.norm
    case .gradientMean: floats = report.gradients.mean
    case .gradientMeanAbs: floats = report.gradients.meanAbs
    case .gradientStd: floats = report.gradients.std
    case .gradientMin: floats = report.gradients.min
    case .gradientMax: floats = report.gradients.max
    case .gradientZeroCount: return report.gradients.zeroCount.map { Double($0) }
    case .gradientNaNCount: return report.gradients.nanCount.map { Double($0) }
    case .gradientPositiveInfinityCount:
      return report.gradients.positiveInfinityCount.map { Double($0) }
    case .gradientNegativeInfinityCount:
      return report.gradients.negativeInfinityCount.map { Double($0) }
    case .parameterNorm: floats = report.parameters.norm
    case .updateNorm: floats = report.parameters.updateNorm
    case .activationMean: floats = report.activations.mean
    case .activationStd: floats = report.activations.std
    case .activationZeroFraction: floats = report.activations.zeroFraction
    case .activationSaturatedFraction: floats = report.activations.saturatedFraction
    case .activationDeadUnitFraction: floats = report.activations.deadUnitFraction
    }
    return floats.map { Double($0) }
  }
}

/// An annotation at a step.
struct SteppedAnnotation: Hashable {
  let step: UInt64
  let annotation: StepAnnotation
}

/// The scalars of a step, comparable bit for bit.
struct ScalarBits: Hashable {
  private let numbers: [UInt64?]
  private let names: [String]
  private let annotations: [StepAnnotation]

  /// Takes all members apart.
  init(_ scalars: StepScalars) {
    names = scalars.losses.map(\.name)
    annotations = scalars.annotations
    numbers =
      scalars.losses.map(\.value.bitPattern) + [
        scalars.step, scalars.wallTime.seconds.bitPattern, scalars.learningRate?.bitPattern,
        scalars.globalNorm?.bitPattern, scalars.clipping.map { UInt64($0.kind.rawValue) },
        scalars.clipping?.threshold.bitPattern, scalars.clipping.map { $0.clipped ? 1 : 0 },
        scalars.lossScale?.bitPattern, scalars.gradientsAreScaled ? 1 : 0,
        scalars.optimizerSkipped ? 1 : 0, scalars.batchSize, UInt64(scalars.phase.rawValue),
        scalars.droppedSteps,
      ]
  }
}

/// All members of a value as text that tells apart every NaN and both zeros.
///
/// `==` can't be used on telemetry: NaN differs from itself.
func exactly(_ value: Any) -> String { String(reflecting: value) }
