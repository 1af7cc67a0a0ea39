import Testing
import TrainingEngine

@Suite("Networks that do not fit")
struct NetworkRefusalTests {
  /// A plan that does not fit, and why.
  struct Misfit: Sendable, CustomTestStringConvertible {
    let input: [Int]
    let plan: [LayerPlan]
    let reason: String

    var testDescription: String { reason }
  }

  static let misfits = [
    Misfit(
      input: [],
      plan: [.dense(1)],
      reason: "input: expected dimensions of at least 1, found []"
    ),
    Misfit(
      input: [3, 0],
      plan: [.dense(1)],
      reason: "input: expected dimensions of at least 1, found [3, 0]"
    ),
    Misfit(
      input: [3],
      plan: [.flatten],
      reason: "network: expected at least one layer with parameters, found none"
    ),
    Misfit(input: [3], plan: [.dense(0)], reason: "dense: expected at least 1 unit, found 0"),
    Misfit(
      input: [3],
      plan: [.convolution1D(2, size: 3)],
      reason: "conv1d: expected [time, channels], found [3]"
    ),
    Misfit(
      input: [3, 3],
      plan: [.convolution2D(2, size: 3)],
      reason: "conv2d: expected [height, width, channels], found [3, 3]"
    ),
    Misfit(
      input: [3, 3, 1],
      plan: [.convolution2D(2, size: 4)],
      reason: "conv2d: expected filters and a stride of at least 1, and an odd size, "
        + "found 2 filters, stride 1, size 4"
    ),
    Misfit(
      input: [3, 1],
      plan: [.convolution1D(2, size: 3, stride: 0)],
      reason: "conv1d: expected filters and a stride of at least 1, and an odd size, "
        + "found 2 filters, stride 0, size 3"
    ),
    Misfit(
      input: [3, 1],
      plan: [.embedding(count: 4, width: 2)],
      reason: "embedding: expected [time], found [3, 1]"
    ),
    Misfit(
      input: [3],
      plan: [.embedding(count: 0, width: 2)],
      reason: "embedding: expected a count and a width of at least 1, found 0 and 2"
    ),
    Misfit(
      input: [3],
      plan: [.positions()],
      reason: "positions: expected [time, width], found [3]"
    ),
    Misfit(
      input: [3],
      plan: [.recurrent(.gatedUnit, 2)],
      reason: "gru: expected [time, features], found [3]"
    ),
    Misfit(
      input: [3, 1],
      plan: [.recurrent(.plain(.tanh), 2, truncation: 0)],
      reason: "rnn: expected units and a truncation of at least 1, found 2 units, truncation 0"
    ),
    Misfit(
      input: [3, 1],
      plan: [.recurrent(.longShortTermMemory, 2, normalization: .layer)],
      reason: "lstm: expected no normalization, found layer_norm"
    ),
    Misfit(
      input: [3, 1],
      plan: [.recurrent(.plain(.parametricReLU), 2)],
      reason: "rnn: expected an activation without parameters, found prelu"
    ),
    Misfit(
      input: [3, 4],
      plan: [.attention(heads: 3)],
      reason: "attention: expected [time, width] whose width 3 heads divide, found [3, 4]"
    ),
    Misfit(
      input: [4],
      plan: [.attention(heads: 2)],
      reason: "attention: expected [time, width] whose width 2 heads divide, found [4]"
    ),
    Misfit(
      input: [4],
      plan: [.dense(4), .normalization(.group(3))],
      reason: "group_norm: expected channels in 3 equal groups, found [4]"
    ),
    Misfit(
      input: [4],
      plan: [.dense(4, normalization: .group(0))],
      reason: "group_norm: expected channels in 0 equal groups, found [4]"
    ),
    Misfit(
      input: [4],
      plan: [.dense(4), .activation(.parametricReLU)],
      reason: "activation: expected an activation without parameters, found prelu"
    ),
    Misfit(
      input: [4],
      plan: [.dense(4), .dropout(1)],
      reason: "dropout: expected 0 to below 1, found 1.0"
    ),
    Misfit(
      input: [4],
      plan: [.dense(4), .dropout(.nan)],
      reason: "dropout: expected 0 to below 1, found nan"
    ),
    Misfit(
      input: [4, 2],
      plan: [.block([.residual([.flatten, .dense(3)])])],
      reason:
        "blocks.0.residual: expected layers that keep [4, 2] but for the last dimension and a "
        + "stride, found [3]"
    ),
    Misfit(
      input: [4],
      plan: [.residual([.dense(4)], .parametricReLU)],
      reason: "residual: expected an activation without parameters, found prelu"
    ),
    Misfit(
      input: [4],
      plan: [.meanOverPositions, .dense(1)],
      reason: "mean over positions: expected [..., channels], found [4]"
    ),
  ]

  @Test("a layer that does not fit is refused with what was expected", arguments: misfits)
  func misfit(_ misfit: Misfit) {
    let error = #expect(throws: TrainingError.self) {
      var generator = SeededGenerator(seed: 3)
      _ = try Network<Float>(inputShape: misfit.input, plan: misfit.plan, using: &generator)
    }
    #expect(error?.description == misfit.reason)
  }
}
