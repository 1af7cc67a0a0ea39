/// A layer as an experiment declares it; its number of inputs follows from the layer before.
///
/// Shapes are those of one sample. Features run along the last dimension: `[features]`, a sequence
/// `[time, features]`, an image `[height, width, channels]`, tokens `[time]`. Biases start at 0.
/// What a normalization shifts anyway has no bias. Only ``dense(_:_:_:normalization:)`` and
/// convolutions have an ``Activation/parametricReLU``.
public indirect enum LayerPlan: Hashable, Sendable {
  /// Every output sees every input of its position: `[..., inputs]` to `[..., units]`.
  case dense(
    Int,
    Activation = .linear,
    Initializer = .glorotUniform,
    normalization: Normalization = .none
  )
  /// Filters slide along a sequence: `[time, channels]` to `[⌈time / stride⌉, filters]`.
  ///
  /// Beyond the ends the sequence is 0. A weight is `[size channels, filters]`; sizes are odd.
  case convolution1D(
    Int,
    size: Int,
    stride: Int = 1,
    Activation = .linear,
    Initializer = .glorotUniform,
    normalization: Normalization = .none
  )
  /// Square filters slide over an image: `[height, width, channels]` to
  /// `[⌈height / stride⌉, ⌈width / stride⌉, filters]`.
  ///
  /// Beyond the edge the image is 0. A weight is `[size size channels, filters]`; sizes are odd.
  case convolution2D(
    Int,
    size: Int,
    stride: Int = 1,
    Activation = .linear,
    Initializer = .glorotUniform,
    normalization: Normalization = .none
  )
  /// A learned vector for each of `count` tokens: `[time]` to `[time, width]`.
  case embedding(count: Int, width: Int, Initializer = .normal(0.02))
  /// A learned vector for each position is added: `[time, width]` stays.
  case positions(Initializer = .normal(0.02))
  /// A state that is carried through time: `[time, inputs]` to `[units]`, or `[time, units]` with
  /// `returnsSequence`.
  ///
  /// With `truncation` no gradient passes from any multiple of so many time steps to the step
  /// before. `normalization` acts on the sums of a plain cell, at each time step.
  ///
  /// `carryBias` is the first bias of the gate that keeps the state: a long short-term memory's
  /// forget gate, a gated unit's update gate. ln T keeps it over about T time steps (Tallec and
  /// Ollivier, "Can recurrent neural networks warp time?", 2018); at 0 half of it is lost at each.
  case recurrent(
    RecurrentCell,
    Int,
    Initializer = .glorotUniform,
    recurrent: Initializer = .orthogonal(1),
    normalization: Normalization = .none,
    returnsSequence: Bool = false,
    truncation: Int? = nil,
    carryBias: Double = 0
  )
  /// Positions look at each other: `[time, width]` stays; `heads` divides the width.
  case attention(
    heads: Int,
    isCausal: Bool = true,
    Initializer = .glorotUniform,
    output: Initializer? = nil
  )
  /// Brings activations to mean 0 and variance 1; the shape stays.
  case normalization(Normalization)
  /// Applies a function; the shape stays.
  case activation(Activation)
  /// Zeroes this share of the activations at random; the shape stays.
  case dropout(Double)
  /// The sum of its input and of what the layers make of it, and a function of that.
  ///
  /// If they change the shape, the input passes through a matrix of its own without a bias, the
  /// projection; of a sequence or an image, at every so many-th position.
  case residual([LayerPlan], Activation = .linear)
  /// Layers that belong together, such as a transformer block: their names begin with `blocks.N`.
  case block([LayerPlan])
  /// The mean over all positions: `[..., channels]` to `[channels]`.
  case meanOverPositions
  /// All numbers of a sample in a row: `[a, b, c]` to `[a b c]`.
  case flatten
}
