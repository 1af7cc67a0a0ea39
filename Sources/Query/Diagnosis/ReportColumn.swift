public import Telemetry

/// A part of a report that rules read and a client may leave out, by its place in the protos.
public enum ReportColumn: String, Sendable, CaseIterable {
  /// The losses.
  case losses
  /// The global norm before clipping.
  case globalNorm = "global_norm"
  /// The L2 norms of gradients.
  case gradientNorm = "gradients.norm"
  /// The numbers of NaN in gradients.
  case gradientNaNCount = "gradients.nan_count"
  /// The L2 norms of parameters.
  case parameterNorm = "parameters.norm"
  /// The L2 norms of updates.
  case updateNorm = "parameters.update_norm"
  /// Histograms of gradients, in exponential form.
  case histograms
  /// The shares of activations that are saturated.
  case activationSaturatedFraction = "activations.saturated_fraction"
  /// The shares of units that are never active.
  case activationDeadUnitFraction = "activations.dead_unit_fraction"

  /// The metric by which a store knows it; `nil` if it is no column of tensors or layers.
  public var metric: Metric? {
    switch self {
    case .losses, .globalNorm, .histograms: nil
    case .gradientNorm: .gradientNorm
    case .gradientNaNCount: .gradientNaNCount
    case .parameterNorm: .parameterNorm
    case .updateNorm: .updateNorm
    case .activationSaturatedFraction: .activationSaturatedFraction
    case .activationDeadUnitFraction: .activationDeadUnitFraction
    }
  }
}
