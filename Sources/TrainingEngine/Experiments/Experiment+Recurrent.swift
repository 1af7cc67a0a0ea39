// Recurrent networks over 100 time steps: R1 and its fixes, both ways.
extension Experiment {
  /// A linear recurrence whose matrix shrinks the state to 0.9 at each time step.
  ///
  /// Orthogonal times 0.9, so that back-propagation through 100 time steps gives 0.9¹⁰⁰ = 2.7·10⁻⁵ exactly.
  static let shrinkingRecurrence = Experiment(
    identifier: "R1v",
    name: "shrinking-recurrence",
    title: "Recurrence over 100 time steps, its matrix scaled to 0.9",
    source: Source.chapter,
    sourceClaim: "A sequence of length 100 behaves like 100 layers: below 1 the gradient vanishes.",
    finding: "0.9 to the 100th is 2.7·10⁻⁵, and 4.0 decades are measured over 99 time steps.",
    mustAlert: [
      ExpectedAlert("rnn_vanishing_through_time", .warning),
      ExpectedAlert("loss_plateau", .warning),
    ],
    mustNotAlert: [
      ExpectedAlert("rnn_exploding_through_time", .info),
      ExpectedAlert("exploding_gradient", .info),
    ],
    data: .recall(count: 512, length: 100, classes: 4, noise: 0.1, seed: 1234),
    layers: recurrence(.plain(.linear), gain: 0.9),
    loss: .crossEntropy,
    updateRule: .sgd(learningRate: 0.001),
    batchSize: 16,
    epochs: 10,
    seed: 1234
  )

  static let growingRecurrence = shrinkingRecurrence.varied(
    "R1e",
    "growing-recurrence",
    "Recurrence over 100 time steps, its matrix scaled to 1.1",
    claim: "Above 1 the gradient explodes: 1.1 to the 100th is 14,000.",
    finding: "3.6 decades at step 0; updates at a rate of 10⁻⁶ still end in NaN at step 11.",
    isFix: false,
    must: [
      ExpectedAlert("rnn_exploding_through_time", .warning),
      ExpectedAlert("non_finite_loss", .critical),
    ],
    may: [
      "exploding_gradient", "non_finite_gradient", "loss_divergence", "update_ratio_too_high",
      "loss_spike", "gradient_spike",
    ],
    mustNot: [ExpectedAlert("rnn_vanishing_through_time", .info)]
  ) {
    $0.layers = recurrence(.plain(.linear), gain: 1.1); $0.updateRule = .sgd(learningRate: 1e-6)
  }

  static let growingRecurrenceClipped = growingRecurrence.varied(
    "R1e-clip",
    "growing-recurrence-clipped",
    "Recurrence with a matrix scaled to 1.1, norm clipped at 1",
    claim: "Clip gradients.",
    finding:
      "No NaN, and no cure: gradients grow through time as before, every step is clipped to 5·10⁻⁶, and at this rate nothing is learned.",
    must: [
      ExpectedAlert("rnn_exploding_through_time", .warning),
      ExpectedAlert("clipping_every_step", .warning),
      ExpectedAlert("update_ratio_too_low", .warning),
      ExpectedAlert("loss_plateau", .warning),
    ]
  ) { $0.clipping = .norm(1) }

  static let growingRecurrenceLongShort = growingRecurrence.varied(
    "R1e-lstm",
    "growing-recurrence-to-lstm",
    "Recurrence changed to a long short-term memory",
    claim: "Use LSTM or GRU.",
    finding:
      "It does not explode; it vanishes (see shrinking-recurrence-to-lstm), and the rate that the explosion needed is far too low.",
    must: [
      ExpectedAlert("rnn_vanishing_through_time", .critical),
      ExpectedAlert("update_ratio_too_low", .warning),
      ExpectedAlert("loss_plateau", .warning),
    ]
  ) { $0.layers = recurrence(.longShortTermMemory, gain: 1) }

  static let growingRecurrenceTruncated = growingRecurrence.varied(
    "R1e-bptt",
    "growing-recurrence-truncated",
    "Recurrence with a matrix scaled to 1.1, gradients cut off after 20 time steps",
    claim: "Shorten the unroll length.",
    finding:
      "Nothing explodes. The forward pass still grows by 14,000, so that the loss ends at exactly 0: outputs are in the thousands."
  ) {
    $0.layers = [
      .recurrent(.plain(.linear), 32, recurrent: .orthogonal(1.1), truncation: 20), .dense(4),
    ]
  }

  static let shrinkingRecurrenceLongShort = shrinkingRecurrence.varied(
    "R1v-lstm",
    "shrinking-recurrence-to-lstm",
    "Recurrence changed to a long short-term memory",
    claim: "Use LSTM or GRU.",
    finding:
      "Not as it is: a forget gate that starts at one half keeps 2⁻¹⁰⁰ of the cell, and gradients vanish by 11 decades.",
    must: [
      ExpectedAlert("rnn_vanishing_through_time", .critical)
    ],
    may: ["loss_plateau", "gradient_spike", "loss_spike"]
  ) {
    $0.layers = recurrence(.longShortTermMemory, gain: 1);
    $0.updateRule = .adam(learningRate: 0.005)
  }

  static let shrinkingRecurrenceGated = shrinkingRecurrence.varied(
    "R1v-gru",
    "shrinking-recurrence-to-gru",
    "Recurrence changed to a gated unit",
    claim: "Use LSTM or GRU.",
    finding: "Not as it is: an update gate that starts at one half forgets as fast as an LSTM's.",
    must: [
      ExpectedAlert("rnn_vanishing_through_time", .critical)
    ],
    may: ["loss_plateau", "gradient_spike", "loss_spike"]
  ) {
    $0.layers = recurrence(.gatedUnit, gain: 1); $0.updateRule = .adam(learningRate: 0.005)
  }

  static let shrinkingRecurrenceRemembering = shrinkingRecurrence.varied(
    "R1v-carry",
    "shrinking-recurrence-to-remembering-lstm",
    "Recurrence changed to a long short-term memory whose forget gate starts open",
    source: Source.ours,
    claim:
      "(A forget gate's bias of ln T keeps the cell over T time steps: Tallec and Ollivier, 2018.)",
    finding: "Gradients reach back over all 100 time steps, and the class is learned."
  ) {
    $0.layers = recurrence(.longShortTermMemory, gain: 1, carryBias: 4.6)
    $0.updateRule = .adam(learningRate: 0.005)
  }

  static let shrinkingRecurrenceGatedRemembering = shrinkingRecurrence.varied(
    "R1v-gru-carry",
    "shrinking-recurrence-to-remembering-gru",
    "Recurrence changed to a gated unit whose update gate starts closed",
    source: Source.ours,
    claim: "(The same for the update gate.)",
    finding: "Gradients reach back over all 100 time steps, and the class is learned."
  ) {
    $0.layers = recurrence(.gatedUnit, gain: 1, carryBias: 4.6)
    $0.updateRule = .adam(learningRate: 0.005)
  }

  static let growingRecurrenceNormalized = growingRecurrence.varied(
    "R1e-ln",
    "growing-recurrence-layer-norm",
    "Recurrence of tanh with layer normalization before it",
    source: Source.strategies,
    claim:
      "Swap to tanh with LayerNorm before the activation, to keep outputs away from saturation.",
    finding:
      "Not for inputs as small as this noise: what brings sums of 0.1 to variance 1 makes gradients larger, not smaller.",
    must: [ExpectedAlert("exploding_gradient", .warning)],
    may: [
      "rnn_exploding_through_time", "loss_plateau", "update_ratio_too_high",
      "rnn_vanishing_through_time",
    ]
  ) {
    $0.layers = [
      .recurrent(.plain(.tanh), 32, recurrent: .orthogonal(1.1), normalization: .layer), .dense(4),
    ]
  }

  private static func recurrence(
    _ cell: RecurrentCell,
    gain: Double,
    carryBias: Double = 0
  ) -> [LayerPlan] {
    [.recurrent(cell, 32, recurrent: .orthogonal(gain), carryBias: carryBias), .dense(4)]
  }
}
