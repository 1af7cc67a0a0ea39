/// A part of a network: what it computes of its input, with parameters that it knows by their
/// index.
///
/// An enumeration and not a protocol, so that the compiler sees all that ``Network`` may call, and
/// specializes it for `Float`.
enum Module: Sendable {
  /// Applies an activation, with the parameter that is its slope.
  case activation(Activation, slope: Int?)
  /// A matrix product and an offset.
  case affine(Affine)
  /// Positions look at each other: ``Tape/attention(_:headCount:isCausal:)``.
  case attention(headCount: Int, isCausal: Bool)
  /// Modules one after the other.
  case chain(Chain)
  /// Zeroes a share of the activations at random: ``Tape/dropout(_:rate:using:)``.
  case dropout(rate: Double)
  /// Looks tokens up in a table: ``Tape/embedding(_:table:)``.
  case embedding(table: Int)
  /// Puts all numbers of a sample in a row: `[batch, a, b]` to `[batch, a b]`.
  case flatten
  /// Averages over positions: ``Tape/meanOverPositions(_:)``.
  case meanOverPositions
  /// Brings groups of activations to mean 0 and variance 1.
  case normalizer(Normalizer)
  /// What the filters of a convolution see, as rows: ``Tape/patches(of:size:stride:)``.
  case patches(size: (height: Int, width: Int), stride: Int)
  /// Adds a table to every sample: ``Tape/addingToSamples(_:_:)``.
  case positions(table: Int)
  /// A state that is carried through time.
  case recurrent(Recurrent)
  /// The sum of an input and of what layers make of it.
  case residual(Residual)

  /// Applies the part to a batch, `[batch] +` the shape of a sample.
  func callAsFunction<Scalar>(_ x: Variable, in pass: inout ForwardPass<Scalar>) -> Variable {
    let tape = pass.tape
    switch self {
    case .activation(let activation, let slope):
      return activation(x, slope: slope.map { pass.parameters[$0] }, on: tape)
    case .affine(let affine): return affine(x, in: pass)
    case .attention(let headCount, let isCausal):
      return tape.attention(x, headCount: headCount, isCausal: isCausal)
    case .chain(let chain): return chain(x, in: &pass)
    case .dropout(let rate): return tape.dropout(x, rate: rate, using: &pass.generator)
    case .embedding(let table):
      return tape.embedding(tape.value(of: x), table: pass.parameters[table])
    case .flatten:
      let numbers = tape.value(of: x)
      return tape.reshaped(x, [numbers.rowCount, numbers.rowSize])
    case .meanOverPositions: return tape.meanOverPositions(x)
    case .normalizer(let normalizer): return normalizer(x, in: pass)
    case .patches(let size, let stride): return tape.patches(of: x, size: size, stride: stride)
    case .positions(let table): return tape.addingToSamples(x, pass.parameters[table])
    case .recurrent(let recurrent): return recurrent(x, in: &pass)
    case .residual(let residual): return residual(x, in: &pass)
    }
  }
}
