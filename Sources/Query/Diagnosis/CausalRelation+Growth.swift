extension CausalRelation {
  /// Too much: gradients, updates, noise.
  static let growth = [
    Row(
      "rnn_exploding_through_time",
      .whileLasts(100),
      [
        Effect("exploding_gradient", 0.85, "every time step multiplies the gradient again"),
        Effect("gradient_spike", 0.75, "a long sequence now and then multiplies it most"),
        Effect(
          "clipping_every_step",
          0.75,
          "gradients through time never come below the threshold"
        ),
        Effect("non_finite_gradient", 0.75, "multiplied once a time step, the gradient overflows"),
        Effect("non_finite_loss", 0.6, "an update from such a gradient ruins the weights"),
        Effect("loss_spike", 0.6, "an update from such a gradient throws the loss up"),
        Effect("loss_divergence", 0.65, "updates from such gradients throw the loss up"),
        Effect("gradient_long_tail", 0.6, "gradients of early time steps are the tail"),
      ]
    ),
    Row(
      "exploding_gradient",
      .whileLasts(100),
      [
        Effect("non_finite_gradient", 0.9, "a gradient that grows at every step overflows"),
        Effect("non_finite_loss", 0.8, "weights that took such updates overflow the outputs"),
        Effect("update_ratio_too_high", 0.85, "the update grows with the gradient"),
        Effect("loss_divergence", 0.85, "updates that are too long climb instead of descending"),
        Effect("loss_spike", 0.8, "an update that is too long climbs instead of descending"),
        Effect("gradient_spike", 0.8, "its growth in one step is a spike"),
        Effect("clipping_every_step", 0.8, "the norm stays above the threshold"),
        Effect("gradient_long_tail", 0.8, "its largest elements are the tail"),
        Effect("weight_jump", 0.7, "an update of such a gradient moves weights by orders"),
        Effect("dead_relu", 0.7, "a huge update pushes biases below zero for good"),
        Effect("saturated_activation", 0.65, "a huge update pushes activations to their bounds"),
        Effect("loss_oscillation", 0.6, "updates that are too long overshoot to both sides"),
        Effect("update_ratio_too_low", 0.5, "an optimizer's memory of it shrinks later updates"),
        Effect("rnn_exploding_through_time", 0.6, "recurrent weights have grown with the rest"),
        Effect("loss_plateau", 0.5, "weights thrown far away have no gradient that is of use"),
      ]
    ),
    Row(
      "update_ratio_too_high",
      .whileLasts(50),
      [
        Effect("loss_oscillation", 0.85, "steps that are too long overshoot to both sides"),
        Effect("loss_divergence", 0.85, "steps past the edge of stability climb"),
        Effect("exploding_gradient", 0.8, "steps past the edge of stability grow each gradient"),
        Effect("dead_relu", 0.75, "steps that are too long push biases below zero for good"),
        Effect("saturated_activation", 0.65, "steps that are too long push units to their bounds"),
        Effect("loss_spike", 0.65, "a step that is too long throws the loss up"),
        Effect("gradient_spike", 0.6, "a step that is too long lands where it is steep"),
        Effect("non_finite_gradient", 0.65, "steps that are too long end in an overflow"),
        Effect("non_finite_loss", 0.65, "steps that are too long end in an overflow"),
        Effect("vanishing_gradient", 0.5, "steps that are too long end where nothing has a slope"),
        Effect("loss_plateau", 0.5, "steps that are too long never settle in a minimum"),
      ]
    ),
    Row(
      "gradient_noise",
      .whileLasts(50),
      [
        Effect("loss_oscillation", 0.6, "each batch pulls another way"),
        Effect("gradient_spike", 0.45, "the widest of noisy gradients are spikes"),
        Effect("loss_plateau", 0.4, "noise of the gradient hides its direction"),
      ]
    ),
    Row(
      "gradient_long_tail",
      .whileLasts(20),
      [Effect("gradient_spike", 0.5, "a few huge elements make the norm jump")]
    ),
  ]
}
