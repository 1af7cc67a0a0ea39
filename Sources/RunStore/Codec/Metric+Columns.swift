import Telemetry

/// Which list of indices says what a metric's column speaks of.
enum ColumnGroup: Int, CaseIterable {
  /// ``GradientColumns/tensorIDs``.
  case gradients
  /// ``ParameterColumns/tensorIDs``.
  case parameters
  /// ``ActivationColumns/layerIDs``.
  case activations

  /// The indices that a report's columns of this group speak of; empty for all.
  func indices(of report: StepReport) -> [UInt32] {
    switch self {
    case .gradients: report.gradients.tensorIDs
    case .parameters: report.parameters.tensorIDs
    case .activations: report.activations.layerIDs
    }
  }
}

extension Metric {
  /// Whether its values are counts and not floats.
  var isCount: Bool {
    switch self {
    case .gradientZeroCount, .gradientNaNCount, .gradientPositiveInfinityCount,
      .gradientNegativeInfinityCount:
      true
    default: false
    }
  }

  /// The group of its column.
  var group: ColumnGroup {
    switch self {
    case .parameterNorm, .updateNorm: .parameters
    default: subject == .layer ? .activations : .gradients
    }
  }

  /// A value from its bits, as readers get it: a float widened, or a count.
  @inline(__always)
  func number(_ bits: UInt64) -> Double {
    isCount ? Double(bits) : Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
  }

  /// The column of a metric that is no count.
  func floats(of report: StepReport) -> [Float] {
    switch self {
    case .gradientNorm: report.gradients.norm
    case .gradientMean: report.gradients.mean
    case .gradientMeanAbs: report.gradients.meanAbs
    case .gradientStd: report.gradients.std
    case .gradientMin: report.gradients.min
    case .gradientMax: report.gradients.max
    case .parameterNorm: report.parameters.norm
    case .updateNorm: report.parameters.updateNorm
    case .activationMean: report.activations.mean
    case .activationStd: report.activations.std
    case .activationZeroFraction: report.activations.zeroFraction
    case .activationSaturatedFraction: report.activations.saturatedFraction
    case .activationDeadUnitFraction: report.activations.deadUnitFraction
    case .gradientZeroCount, .gradientNaNCount, .gradientPositiveInfinityCount,
      .gradientNegativeInfinityCount:
      []
    }
  }

  /// The column of a metric that is a count.
  func counts(of report: StepReport) -> [UInt64] {
    switch self {
    case .gradientZeroCount: report.gradients.zeroCount
    case .gradientNaNCount: report.gradients.nanCount
    case .gradientPositiveInfinityCount: report.gradients.positiveInfinityCount
    case .gradientNegativeInfinityCount: report.gradients.negativeInfinityCount
    default: []
    }
  }

  /// Puts a column of floats back into a report.
  func set(_ values: [Float], in report: inout StepReport) {
    switch self {
    case .gradientNorm: report.gradients.norm = values
    case .gradientMean: report.gradients.mean = values
    case .gradientMeanAbs: report.gradients.meanAbs = values
    case .gradientStd: report.gradients.std = values
    case .gradientMin: report.gradients.min = values
    case .gradientMax: report.gradients.max = values
    case .parameterNorm: report.parameters.norm = values
    case .updateNorm: report.parameters.updateNorm = values
    case .activationMean: report.activations.mean = values
    case .activationStd: report.activations.std = values
    case .activationZeroFraction: report.activations.zeroFraction = values
    case .activationSaturatedFraction: report.activations.saturatedFraction = values
    case .activationDeadUnitFraction: report.activations.deadUnitFraction = values
    case .gradientZeroCount, .gradientNaNCount, .gradientPositiveInfinityCount,
      .gradientNegativeInfinityCount:
      break
    }
  }

  /// Puts a column of counts back into a report.
  func set(_ values: [UInt64], in report: inout StepReport) {
    switch self {
    case .gradientZeroCount: report.gradients.zeroCount = values
    case .gradientNaNCount: report.gradients.nanCount = values
    case .gradientPositiveInfinityCount: report.gradients.positiveInfinityCount = values
    case .gradientNegativeInfinityCount: report.gradients.negativeInfinityCount = values
    default: break
    }
  }
}
