extension CausalRelation {
  /// Too little: slopes, gradients, updates.
  static let shrinkage = [
    Row(
      "saturated_activation",
      .whileLasts(100),
      [
        Effect(
          "vanishing_gradient",
          0.9,
          "at its bounds an activation has no slope, and the chain rule multiplies slopes",
          .towardInput
        ),
        Effect("rnn_vanishing_through_time", 0.75, "at its bounds a cell passes nothing back"),
        Effect("uniformly_small_gradient", 0.65, "units at their bounds pass little back"),
        Effect("loss_plateau", 0.7, "units at their bounds do not learn"),
        Effect("update_ratio_too_low", 0.6, "little gradient makes little update", .towardInput),
        Effect("unchanged_weights", 0.6, "no gradient makes no update", .towardInput),
        Effect("gradient_underflow", 0.55, "slopes near zero multiply to nothing"),
      ]
    ),
    Row(
      "dead_relu",
      .whileLasts(100),
      [
        Effect(
          "vanishing_gradient",
          0.85,
          "units that are never active pass nothing back",
          .towardInput
        ),
        Effect("uniformly_small_gradient", 0.85, "units that are never active pass nothing back"),
        Effect("loss_plateau", 0.85, "units that are never active never learn again"),
        Effect("unchanged_weights", 0.8, "weights of dead units get no gradient", .towardInput),
        Effect("update_ratio_too_low", 0.75, "weights of dead units get no gradient", .towardInput),
      ]
    ),
    Row(
      "rnn_vanishing_through_time",
      .whileLasts(100),
      [
        Effect("loss_plateau", 0.8, "what is long ago can't be learned"),
        Effect("vanishing_gradient", 0.7, "every time step shrinks the gradient again"),
        Effect("update_ratio_too_low", 0.5, "little gradient makes little update"),
      ]
    ),
    Row(
      "vanishing_gradient",
      .whileLasts(100),
      [
        Effect("loss_plateau", 0.85, "the first layers do not learn, and the last ones lack them"),
        Effect("update_ratio_too_low", 0.85, "little gradient makes little update", .near),
        Effect("unchanged_weights", 0.75, "no gradient makes no update", .near),
        Effect("gradient_underflow", 0.65, "shrunk far enough, gradients round to zero"),
        Effect("uniformly_small_gradient", 0.6, "what shrinks layer by layer is small in most"),
      ]
    ),
    Row(
      "gradient_underflow",
      .whileLasts(100),
      [
        Effect("uniformly_small_gradient", 0.8, "what rounds to zero is missing in every norm"),
        Effect("unchanged_weights", 0.8, "a gradient that rounds to zero makes no update"),
        Effect("update_ratio_too_low", 0.75, "gradients that round to zero make little update"),
        Effect("vanishing_gradient", 0.6, "the smallest gradients, of the first layers, go first"),
        Effect("loss_plateau", 0.7, "gradients that round to zero teach nothing"),
      ]
    ),
    Row(
      "uniformly_small_gradient",
      .whileLasts(100),
      [
        Effect("update_ratio_too_low", 0.9, "little gradient makes little update"),
        Effect("unchanged_weights", 0.8, "an update below a weight's last digit is none"),
        Effect("loss_plateau", 0.85, "updates are too small to lower the loss"),
        Effect("gradient_underflow", 0.6, "what is small enough rounds to zero"),
      ]
    ),
    Row(
      "clipping_every_step",
      .whileLasts(100),
      [
        Effect("update_ratio_too_low", 0.8, "a threshold far below the norm cuts every update"),
        Effect("loss_plateau", 0.65, "a threshold far below the norm cuts every update"),
        Effect("unchanged_weights", 0.55, "a threshold far below the norm cuts every update"),
      ]
    ),
    Row(
      "update_ratio_too_low",
      .whileLasts(100),
      [
        Effect("unchanged_weights", 0.8, "an update below a weight's last digit is none", .near),
        Effect("loss_plateau", 0.75, "weights hardly move"),
      ]
    ),
    Row(
      "unchanged_weights",
      .whileLasts(100),
      [
        Effect("update_ratio_too_low", 0.75, "no update is the smallest one", .near),
        Effect("loss_plateau", 0.7, "weights that do not move teach the net nothing"),
      ]
    ),
  ]
}
