import Telemetry

/// What each rule reads.
enum RuleNeeds {
  /// The columns without which a rule sees nothing: of each list at least one.
  ///
  /// Clipping and time-step norms are in none: a run that sends no clipping does not clip, and what
  /// was measured through time can't be read back from a store.
  static func columns(of rule: RuleID) -> [[ReportColumn]] {
    switch rule.rawValue {
    case "vanishing_gradient": [[.gradientNorm]]
    case "uniformly_small_gradient": [[.gradientNorm], [.parameterNorm]]
    case "exploding_gradient", "gradient_spike", "gradient_noise", "rank_divergence":
      [[.globalNorm, .gradientNorm]]
    case "non_finite_gradient": [[.globalNorm, .gradientNorm, .gradientNaNCount]]
    case "dead_relu": [[.activationDeadUnitFraction]]
    case "saturated_activation": [[.activationSaturatedFraction]]
    case "poor_initialization", "weight_jump": [[.parameterNorm]]
    case "update_ratio_too_high": [[.parameterNorm], [.updateNorm]]
    case "update_ratio_too_low": [[.parameterNorm], [.updateNorm], [.losses]]
    case "unchanged_weights": [[.updateNorm], [.gradientNorm]]
    case "gradient_long_tail", "gradient_underflow": [[.histograms]]
    case "non_finite_loss", "loss_spike", "loss_divergence", "loss_plateau", "loss_oscillation":
      [[.losses]]
    default: []
    }
  }

  /// Whether a model has what the rule looks for; if that is unknown it may have.
  static func applies(_ rule: RuleID, to model: Model) -> Bool {
    switch rule.rawValue {
    case "dead_relu": hasActivation(among: ["relu"], model)
    case "saturated_activation":
      hasActivation(among: ["sigmoid", "tanh", "softsign"], model)
        || model.tensors.contains { $0.role == .recurrent }
    default: true
    }
  }

  /// Whether a layer has, or is, one of these activations, or no layer says what it has.
  private static func hasActivation(among names: [String], _ model: Model) -> Bool {
    var isSaid = false
    for layer in model.layers {
      isSaid = isSaid || !layer.activation.isEmpty
      let texts = [layer.activation.lowercased(), layer.moduleType.lowercased()]
      if texts.contains(where: { text in names.contains { text.contains($0) } }) { return true }
    }
    return !isSaid
  }
}
