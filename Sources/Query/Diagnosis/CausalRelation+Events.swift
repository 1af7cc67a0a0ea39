extension CausalRelation {
  /// What happens at one step, and what the loss does next.
  static let events = [
    Row(
      "weight_jump",
      .whileLasts(100),
      [
        Effect("gradient_spike", 0.85, "one huge weight makes a huge gradient"),
        Effect("loss_spike", 0.85, "one huge weight changes every output"),
        Effect("exploding_gradient", 0.75, "one huge weight multiplies every gradient"),
        Effect("non_finite_gradient", 0.9, "one huge weight overflows the products"),
        Effect("non_finite_loss", 0.88, "one huge weight overflows the outputs"),
        Effect("loss_divergence", 0.75, "one huge weight changes every output"),
        Effect("dead_relu", 0.7, "one huge weight drowns all others of its layer"),
        Effect("saturated_activation", 0.7, "one huge weight pushes units to their bounds"),
        Effect(
          "update_ratio_too_low",
          0.75,
          "updates are small beside the weight that jumped",
          .near
        ),
        Effect("unchanged_weights", 0.65, "updates are lost beside the weight that jumped", .near),
        Effect("vanishing_gradient", 0.6, "behind a layer that jumped little gradient is left"),
        Effect(
          "uniformly_small_gradient",
          0.6,
          "gradients are small beside the weight that jumped"
        ),
        Effect("loss_plateau", 0.6, "the layer that jumped passes nothing of use"),
      ]
    ),
    Row(
      "gradient_spike",
      .whileLasts(20),
      [
        Effect("loss_spike", 0.8, "the update of a spike throws the loss up"),
        Effect("loss_divergence", 0.6, "the update of a spike throws the loss out of its minimum"),
        Effect("update_ratio_too_high", 0.65, "the update grows with the gradient"),
        Effect("non_finite_gradient", 0.6, "the update of a spike ruins the weights"),
        Effect("non_finite_loss", 0.6, "the update of a spike ruins the weights"),
        Effect("exploding_gradient", 0.55, "the update of a spike lands where it is steep"),
        Effect("dead_relu", 0.55, "the update of a spike pushes biases below zero for good"),
        Effect("saturated_activation", 0.5, "the update of a spike pushes units to their bounds"),
        Effect("weight_jump", 0.5, "the update of a spike moves weights by orders"),
      ]
    ),
    Row(
      "loss_spike",
      .whileLasts(20),
      [
        // At one and the same step the loss comes first: the gradient is taken of it.
        Effect("gradient_spike", 0.85, "the gradient of a high loss is large"),
        Effect("loss_divergence", 0.6, "the loss did not come back"),
        Effect("non_finite_loss", 0.5, "the loss went on to grow"),
        Effect("exploding_gradient", 0.55, "the gradient of a high loss is large"),
        Effect("vanishing_gradient", 0.5, "the weights were thrown where nothing has a slope"),
        Effect("saturated_activation", 0.5, "the weights were thrown where nothing has a slope"),
        Effect("dead_relu", 0.5, "the weights were thrown where units are never active"),
        Effect(
          "uniformly_small_gradient",
          0.5,
          "the weights were thrown where nothing has a slope"
        ),
        Effect("loss_plateau", 0.45, "the loss came to rest where it was thrown to"),
      ]
    ),
    Row(
      "loss_divergence",
      .whileLasts(100),
      [
        Effect("non_finite_loss", 0.75, "a loss that grows and grows overflows"),
        Effect("non_finite_gradient", 0.65, "the gradient of a loss that overflows does too"),
        Effect("exploding_gradient", 0.55, "the gradient of a growing loss grows"),
        Effect("gradient_spike", 0.5, "the gradient of a growing loss grows"),
        Effect("loss_spike", 0.5, "its steepest part is a spike"),
        Effect(
          "uniformly_small_gradient",
          0.5,
          "the weights were thrown where nothing has a slope"
        ),
        Effect("loss_plateau", 0.5, "the loss came to rest where it was thrown to"),
      ]
    ),
    Row(
      "loss_oscillation",
      .whileLasts(50),
      [
        Effect("loss_plateau", 0.6, "what overshoots to both sides gets no lower"),
        Effect("loss_divergence", 0.5, "swings that grow leave the minimum"),
        Effect("loss_spike", 0.5, "the widest swing is a spike"),
        Effect("gradient_spike", 0.45, "the widest swing ends where it is steep"),
      ]
    ),
  ]

  /// Values that are not finite: whatever else shows once they are in the weights, they explain.
  static var nonFinite: [Row] {
    let symptoms = [
      "exploding_gradient", "vanishing_gradient", "uniformly_small_gradient", "gradient_spike",
      "dead_relu", "saturated_activation", "loss_spike", "loss_divergence", "loss_plateau",
      "loss_oscillation", "update_ratio_too_high", "update_ratio_too_low", "unchanged_weights",
      "gradient_noise", "gradient_long_tail", "gradient_underflow", "clipping_every_step",
      "rnn_vanishing_through_time", "rnn_exploding_through_time", "rank_divergence",
    ].map { Effect($0, 0.7, "where values are not finite no other figure means anything") }
    let ends = Effect("stalled_run", 0.45, "a training loop that finds this often stops")
    return [
      Row(
        "non_finite_gradient",
        .whileLasts(100),
        symptoms + [
          Effect("non_finite_loss", 0.9, "an update that is not finite ruins the weights"),
          Effect("weight_jump", 0.85, "the update wrote values that are not finite"),
          ends,
        ]
      ),
      Row(
        "non_finite_loss",
        .whileLasts(100),
        symptoms + [
          Effect(
            "non_finite_gradient",
            0.95,
            "the gradient of a loss that is not finite is not either"
          ),
          Effect("weight_jump", 0.8, "the update wrote values that are not finite"),
          ends,
        ]
      ),
    ]
  }
}
