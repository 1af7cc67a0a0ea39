package import Telemetry

extension CausalRelation {
  /// A cause, and what it brings about in which way.
  struct Row {
    let cause: String
    let reach: Reach
    let effects: [Effect]

    init(_ cause: String, _ reach: Reach, _ effects: [Effect]) {
      self.cause = cause
      self.reach = reach
      self.effects = effects
    }
  }

  /// What a cause brings about, how surely, where, and how.
  struct Effect {
    let rule: String
    let strength: Double
    let place: Place
    let reason: String

    init(_ rule: String, _ strength: Double, _ reason: String, _ place: Place = .anywhere) {
      self.rule = rule
      self.strength = strength
      self.place = place
      self.reason = reason
    }
  }

  /// The relations by cause, then by effect.
  package static let all: [RuleID: [RuleID: CausalRelation]] = {
    var all: [RuleID: [RuleID: CausalRelation]] = [:]
    for row in starts + growth + shrinkage + events + nonFinite {
      let cause = RuleID(row.cause)
      for effect in row.effects {
        all[cause, default: [:]][RuleID(effect.rule)] = CausalRelation(
          cause: cause,
          effect: RuleID(effect.rule),
          strength: effect.strength,
          reach: row.reach,
          place: effect.place,
          reason: effect.reason
        )
      }
    }
    return all
  }()

  /// What is wrong from the start, or from outside.
  static let starts = [
    Row(
      "poor_initialization",
      .fromStart(200),
      [
        Effect(
          "exploding_gradient",
          0.9,
          "weights that are too large multiply activations and gradients once a layer"
        ),
        Effect(
          "vanishing_gradient",
          0.9,
          "weights off the recommended scale shrink the gradient once a layer"
        ),
        Effect(
          "uniformly_small_gradient",
          0.85,
          "weights that are too small let neither the signal nor the gradient through"
        ),
        Effect(
          "saturated_activation",
          0.9,
          "large weights push activations to their bounds from the first step on"
        ),
        Effect(
          "dead_relu",
          0.85,
          "weights off their scale leave units below zero for every sample"
        ),
        Effect(
          "clipping_every_step",
          0.75,
          "gradients of weights that are too large never come below the threshold"
        ),
        Effect(
          "rnn_exploding_through_time",
          0.85,
          "a recurrent matrix that is too large multiplies the gradient at every time step"
        ),
        Effect(
          "rnn_vanishing_through_time",
          0.85,
          "a recurrent matrix that is too small shrinks the gradient at every time step"
        ),
        Effect("gradient_long_tail", 0.6, "weights that are too large give a few huge gradients"),
        Effect("gradient_underflow", 0.6, "weights that are too small push gradients to zero"),
        Effect(
          "update_ratio_too_high",
          0.65,
          "updates are measured against weights that are off their scale"
        ),
        Effect(
          "update_ratio_too_low",
          0.65,
          "updates are measured against weights that are off their scale"
        ),
        Effect("non_finite_gradient", 0.6, "weights that are too large overflow the gradients"),
        Effect("non_finite_loss", 0.6, "weights that are too large overflow the outputs"),
        Effect("loss_divergence", 0.6, "the first steps from such weights throw the loss up"),
        Effect("loss_oscillation", 0.5, "the first steps from such weights overshoot"),
        Effect("loss_spike", 0.5, "the first steps from such weights overshoot"),
        Effect("gradient_spike", 0.5, "the first steps from such weights overshoot"),
        Effect("loss_plateau", 0.55, "from such weights no gradient that is of use comes back"),
      ]
    ),
    Row(
      "rank_divergence",
      .whileLasts(50),
      [
        Effect("non_finite_gradient", 0.75, "the all-reduce spreads one rank's values to all"),
        Effect("non_finite_loss", 0.75, "the all-reduce spreads one rank's values to all"),
        Effect("loss_divergence", 0.7, "one rank's gradients pull all replicas away"),
        Effect("loss_spike", 0.6, "one rank's gradients pull all replicas away"),
        Effect("gradient_spike", 0.65, "one rank's gradients are part of every sum"),
        Effect("exploding_gradient", 0.65, "one rank's gradients are part of every sum"),
        Effect("weight_jump", 0.5, "a rank that computes wrongly writes wrong weights"),
      ]
    ),
  ]
}
