/// A column of the reports that a timeline can show.
///
/// The raw values are stored and go over the wire: they never change their meaning.
public enum Metric: UInt8, Sendable, CaseIterable {
  /// ``GradientColumns/norm``.
  case gradientNorm = 1
  /// ``GradientColumns/mean``.
  case gradientMean = 2
  /// ``GradientColumns/meanAbs``.
  case gradientMeanAbs = 3
  /// ``GradientColumns/std``.
  case gradientStd = 4
  /// ``GradientColumns/min``.
  case gradientMin = 5
  /// ``GradientColumns/max``.
  case gradientMax = 6
  /// ``GradientColumns/zeroCount``.
  case gradientZeroCount = 7
  /// ``GradientColumns/nanCount``.
  case gradientNaNCount = 8
  /// ``GradientColumns/positiveInfinityCount``.
  case gradientPositiveInfinityCount = 9
  /// ``GradientColumns/negativeInfinityCount``.
  case gradientNegativeInfinityCount = 10
  /// ``ParameterColumns/norm``.
  case parameterNorm = 20
  /// ``ParameterColumns/updateNorm``.
  case updateNorm = 21
  /// ``ActivationColumns/mean``; of a layer, like all that follow.
  case activationMean = 40
  /// ``ActivationColumns/std``.
  case activationStd = 41
  /// ``ActivationColumns/zeroFraction``.
  case activationZeroFraction = 42
  /// ``ActivationColumns/saturatedFraction``.
  case activationSaturatedFraction = 43
  /// ``ActivationColumns/deadUnitFraction``.
  case activationDeadUnitFraction = 44

  /// What a metric is measured on.
  public enum Subject: Sendable {
    /// A tensor, by its index in the model.
    case tensor
    /// A layer, by its index in the model.
    case layer
  }

  /// What this metric is measured on.
  public var subject: Subject { rawValue < Self.activationMean.rawValue ? .tensor : .layer }
}
